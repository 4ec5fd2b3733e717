drop table visitor_cards;
