//! What one poster says.

use chrono::NaiveDate;
use url::Url;

/// Everything that differs from poster to poster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PosterFacts {
    /// The venue's name.
    pub venue: String,
    /// The point's name.
    pub point: String,
    /// The text of the symbol.
    pub url: String,
    /// The code as a person types it.
    pub typed: String,
    /// The generation of the code; printed as the version of the poster.
    pub generation: u8,
    /// The local day of printing.
    pub issued_on: NaiveDate,
    /// Days after which scans are gone.
    pub retention_days: u32,
    /// The address that visitors shall look for before they confirm anything.
    pub host: String,
}

impl PosterFacts {
    /// Host and port as a person reads them.
    pub fn host_of(public_url: &Url) -> String {
        let host = public_url.host_str().unwrap_or_default();
        public_url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_named_only_when_it_is_not_the_usual_one() {
        let host = |url: &str| PosterFacts::host_of(&url.parse().unwrap());
        assert_eq!(host("https://p.example.cn/"), "p.example.cn");
        assert_eq!(host("http://127.0.0.1:8080/"), "127.0.0.1:8080");
    }
}
