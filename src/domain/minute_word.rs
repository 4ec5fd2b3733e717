//! The word of the minute: what staff and visitors at one point can compare by eye and by ear.
//!
//! A picture of somebody else's result shows another word, because the word follows from the point and
//! the minute under a key. Nobody can tell the word of a minute to come. People at the turn of a minute
//! see two words; whoever compares takes the one of the minute before as well ([`word_before`]).

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::keyring::Key;
use super::venue::PointId;

/// How long a word holds.
pub const LASTS: TimeDelta = TimeDelta::minutes(1);

const LABEL: &str = "placecode/minute-word/1";

/// A plain noun in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Word {
    /// Two characters.
    pub chinese: &'static str,
    /// One word.
    pub english: &'static str,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}", self.chinese, self.english)
    }
}

/// The word of a point in the minute of `at`.
pub fn word(key: &Key, point: PointId, at: DateTime<Utc>) -> Word {
    let minute = at.timestamp().div_euclid(LASTS.num_seconds()).to_be_bytes();
    let [first, ..] = key.mac(LABEL, &[&point.to_bytes(), &minute]);
    let (chinese, english) = WORDS.get(usize::from(first)).copied().unwrap_or(("青山", "hill"));
    Word { chinese, english }
}

/// The word of the minute before: somebody who scanned just before the turn still shows it.
pub fn word_before(key: &Key, point: PointId, at: DateTime<Utc>) -> Word {
    word(key, point, at - LASTS)
}

/// One for each value of a byte. They are told apart by eye and by ear, and none can insult whoever gets it.
const WORDS: [(&str, &str); 256] = [
    ("青山", "hill"),
    ("大海", "sea"),
    ("小河", "river"),
    ("湖水", "lake"),
    ("森林", "forest"),
    ("草原", "meadow"),
    ("沙滩", "beach"),
    ("海岛", "island"),
    ("山谷", "valley"),
    ("瀑布", "waterfall"),
    ("泉眼", "spring"),
    ("岩石", "rock"),
    ("沙漠", "desert"),
    ("冰川", "glacier"),
    ("火山", "volcano"),
    ("洞穴", "cave"),
    ("田野", "field"),
    ("果园", "orchard"),
    ("花园", "garden"),
    ("池塘", "pond"),
    ("太阳", "sun"),
    ("月亮", "moon"),
    ("星星", "star"),
    ("白云", "cloud"),
    ("彩虹", "rainbow"),
    ("雪花", "snow"),
    ("雨滴", "rain"),
    ("微风", "breeze"),
    ("闪电", "lightning"),
    ("雾气", "mist"),
    ("露珠", "dew"),
    ("黎明", "dawn"),
    ("黄昏", "dusk"),
    ("春天", "springtime"),
    ("夏日", "summer"),
    ("秋季", "autumn"),
    ("冬夜", "winter"),
    ("玫瑰", "rose"),
    ("荷叶", "lotus"),
    ("兰草", "orchid"),
    ("牡丹", "peony"),
    ("梅枝", "plum"),
    ("桃子", "peach"),
    ("苹果", "apple"),
    ("葡萄", "grape"),
    ("西瓜", "melon"),
    ("草莓", "strawberry"),
    ("橙子", "orange"),
    ("柠檬", "lemon"),
    ("樱桃", "cherry"),
    ("菠萝", "pineapple"),
    ("核桃", "walnut"),
    ("花生", "peanut"),
    ("栗子", "chestnut"),
    ("竹林", "bamboo"),
    ("松树", "pine"),
    ("柳条", "willow"),
    ("枫叶", "maple"),
    ("橡木", "oak"),
    ("银杏", "ginkgo"),
    ("青苔", "moss"),
    ("蘑菇", "mushroom"),
    ("小麦", "wheat"),
    ("玉米", "corn"),
    ("稻谷", "rice"),
    ("大豆", "bean"),
    ("南瓜", "pumpkin"),
    ("黄瓜", "cucumber"),
    ("番茄", "tomato"),
    ("土豆", "potato"),
    ("萝卜", "radish"),
    ("白菜", "cabbage"),
    ("胡椒", "pepper"),
    ("洋葱", "onion"),
    ("大蒜", "garlic"),
    ("生姜", "ginger"),
    ("芝麻", "sesame"),
    ("茶壶", "teapot"),
    ("咖啡", "coffee"),
    ("牛奶", "milk"),
    ("面包", "bread"),
    ("蛋糕", "cake"),
    ("饼干", "biscuit"),
    ("糖果", "candy"),
    ("蜂蜜", "honey"),
    ("果酱", "jam"),
    ("奶酪", "cheese"),
    ("面条", "noodle"),
    ("饺子", "dumpling"),
    ("豆腐", "tofu"),
    ("汤碗", "bowl"),
    ("盘子", "plate"),
    ("杯子", "cup"),
    ("勺子", "spoon"),
    ("筷子", "chopsticks"),
    ("叉子", "fork"),
    ("水壶", "kettle"),
    ("锅盖", "lid"),
    ("炉灶", "stove"),
    ("冰箱", "fridge"),
    ("桌子", "table"),
    ("椅子", "chair"),
    ("沙发", "sofa"),
    ("书架", "shelf"),
    ("柜子", "cupboard"),
    ("抽屉", "drawer"),
    ("镜子", "mirror"),
    ("地毯", "carpet"),
    ("窗帘", "curtain"),
    ("枕头", "pillow"),
    ("床铺", "bed"),
    ("门铃", "doorbell"),
    ("钥匙", "key"),
    ("锁头", "lock"),
    ("窗户", "window"),
    ("楼梯", "stairs"),
    ("屋顶", "roof"),
    ("烟囱", "chimney"),
    ("阳台", "balcony"),
    ("围墙", "wall"),
    ("院子", "yard"),
    ("城堡", "castle"),
    ("宝塔", "pagoda"),
    ("桥梁", "bridge"),
    ("灯塔", "lighthouse"),
    ("风车", "windmill"),
    ("喷泉", "fountain"),
    ("广场", "square"),
    ("公园", "park"),
    ("车站", "station"),
    ("码头", "pier"),
    ("机场", "airport"),
    ("工厂", "factory"),
    ("学校", "school"),
    ("图书", "book"),
    ("报纸", "newspaper"),
    ("信封", "envelope"),
    ("邮票", "stamp"),
    ("铅笔", "pencil"),
    ("钢笔", "pen"),
    ("毛笔", "brush"),
    ("墨水", "ink"),
    ("纸张", "paper"),
    ("橡皮", "eraser"),
    ("尺子", "ruler"),
    ("剪刀", "scissors"),
    ("胶水", "glue"),
    ("黑板", "blackboard"),
    ("粉笔", "chalk"),
    ("地图", "map"),
    ("日历", "calendar"),
    ("时钟", "clock"),
    ("手表", "watch"),
    ("电话", "telephone"),
    ("相机", "camera"),
    ("电视", "television"),
    ("电脑", "computer"),
    ("键盘", "keyboard"),
    ("屏幕", "screen"),
    ("耳机", "headphones"),
    ("电池", "battery"),
    ("灯泡", "bulb"),
    ("蜡烛", "candle"),
    ("灯笼", "lantern"),
    ("火柴", "match"),
    ("雨伞", "umbrella"),
    ("帽子", "hat"),
    ("围巾", "scarf"),
    ("手套", "glove"),
    ("外套", "coat"),
    ("衬衫", "shirt"),
    ("裤子", "trousers"),
    ("裙子", "skirt"),
    ("袜子", "sock"),
    ("鞋子", "shoe"),
    ("皮带", "belt"),
    ("纽扣", "button"),
    ("口袋", "pocket"),
    ("拉链", "zip"),
    ("背包", "backpack"),
    ("箱子", "suitcase"),
    ("篮子", "basket"),
    ("水桶", "bucket"),
    ("瓶子", "bottle"),
    ("绳子", "rope"),
    ("钉子", "nail"),
    ("锤头", "hammer"),
    ("锯条", "saw"),
    ("扳手", "spanner"),
    ("螺丝", "screw"),
    ("梯子", "ladder"),
    ("铲子", "shovel"),
    ("扫帚", "broom"),
    ("肥皂", "soap"),
    ("毛巾", "towel"),
    ("梳子", "comb"),
    ("牙刷", "toothbrush"),
    ("海绵", "sponge"),
    ("针线", "needle"),
    ("布料", "cloth"),
    ("丝绸", "silk"),
    ("棉花", "cotton"),
    ("羊毛", "wool"),
    ("皮革", "leather"),
    ("木板", "plank"),
    ("砖块", "brick"),
    ("玻璃", "glass"),
    ("黄金", "gold"),
    ("白银", "silver"),
    ("铜钱", "coin"),
    ("珍珠", "pearl"),
    ("钻石", "diamond"),
    ("水晶", "crystal"),
    ("琥珀", "amber"),
    ("贝壳", "shell"),
    ("珊瑚", "coral"),
    ("钢琴", "piano"),
    ("吉他", "guitar"),
    ("提琴", "violin"),
    ("笛子", "flute"),
    ("大鼓", "drum"),
    ("喇叭", "trumpet"),
    ("铃铛", "bell"),
    ("口琴", "harmonica"),
    ("风筝", "kite"),
    ("气球", "balloon"),
    ("积木", "blocks"),
    ("拼图", "puzzle"),
    ("皮球", "ball"),
    ("球拍", "racket"),
    ("秋千", "swing"),
    ("滑梯", "slide"),
    ("象棋", "chess"),
    ("纸牌", "card"),
    ("帆船", "sailboat"),
    ("轮船", "ship"),
    ("火车", "train"),
    ("汽车", "car"),
    ("卡车", "lorry"),
    ("单车", "bicycle"),
    ("飞机", "plane"),
    ("火箭", "rocket"),
    ("地铁", "metro"),
    ("马车", "cart"),
    ("雪橇", "sledge"),
    ("轮胎", "tyre"),
    ("船锚", "anchor"),
    ("旗帜", "flag"),
    ("奖杯", "trophy"),
    ("礼物", "gift"),
    ("画框", "frame"),
    ("油漆", "paint"),
    ("雕像", "statue"),
    ("花瓶", "vase"),
    ("扇子", "fan"),
    ("眼镜", "glasses"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_773_633_600 + secs, 0).unwrap()
    }

    #[test]
    fn no_word_stands_twice_and_each_is_short() {
        let chinese: HashSet<_> = WORDS.iter().map(|(chinese, _)| chinese).collect();
        let english: HashSet<_> = WORDS.iter().map(|(_, english)| english).collect();
        assert_eq!((chinese.len(), english.len()), (256, 256));
        assert!(chinese.iter().all(|word| word.chars().count() == 2));
        assert!(english.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase()) && word.len() <= 12));
    }

    #[test]
    fn a_word_holds_for_its_minute_its_point_and_its_key() {
        let (key, point) = (Key::new([1; 32]), PointId::new(77).unwrap());
        let words: Vec<Word> = (0..20).map(|minute| word(&key, point, at(minute * 60))).collect();
        assert_eq!(word(&key, point, at(59)), words[0]);
        assert_eq!(word_before(&key, point, at(60)), words[0]);
        let of = |key: &Key, point| -> Vec<Word> { (0..20).map(|n| word(key, point, at(n * 60))).collect() };
        assert_ne!(of(&key, PointId::new(78).unwrap()), words);
        assert_ne!(of(&Key::new([2; 32]), point), words);
        assert!(words.iter().collect::<HashSet<_>>().len() > 15, "{words:?}");
        assert_eq!(word(&key, point, at(0)).to_string().split(" / ").count(), 2);
    }
}
