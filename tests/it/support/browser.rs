//! A browser without scripts: it asks for pages, keeps a cookie and sends forms.

use super::TestApp;
use super::client::{Answer, Client};
use placecode::http::auth::{STAFF_COOKIE, VISITOR_COOKIE};

/// Somebody in front of a page.
pub struct Browser {
    http: reqwest::Client,
    base: String,
    cookie: String,
}

impl TestApp {
    /// A browser of somebody who is nobody yet.
    pub fn browser(&self) -> Browser {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Browser {
            http: http.build().unwrap(),
            base: format!("http://{}", self.address),
            cookie: String::new(),
        }
    }

    /// The browser of a member of staff who is signed in.
    pub fn desk(&self, client: &Client) -> Browser {
        Browser { cookie: format!("{STAFF_COOKIE}={}", client.token()), ..self.browser() }
    }

    /// The browser of a visitor whom the channel has just verified.
    pub async fn phone(&self, number: u32) -> Browser {
        let person = self.person(number).await;
        Browser { cookie: format!("{VISITOR_COOKIE}={}", person.token()), ..self.browser() }
    }
}

impl Browser {
    /// The same browser with another cookie.
    #[must_use]
    pub fn with_cookie(self, cookie: &str) -> Self {
        Self { cookie: cookie.to_owned(), ..self }
    }

    /// Another browser of nobody, at the same service.
    pub fn fresh(&self) -> Self {
        Self { http: self.http.clone(), base: self.base.clone(), cookie: String::new() }
    }

    /// The same browser, asking another service.
    #[must_use]
    pub fn at(&self, address: std::net::SocketAddr) -> Self {
        let (http, cookie) = (self.http.clone(), self.cookie.clone());
        Self { http, cookie, base: format!("http://{address}") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    /// Sends a form as it stands.
    pub async fn send_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send_form_from(path, fields, None).await
    }

    /// Sends a form as the page of another site would.
    pub async fn send_form_from(&self, path: &str, fields: &[(&str, &str)], origin: Option<&str>) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let mut request = self.http.post(format!("{}{path}", self.base));
        request = request.header("content-type", "application/x-www-form-urlencoded").body(body.finish());
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        self.send(request).await
    }

    /// Opens `page` and sends the form for `path` with what is filled in and what is hidden there.
    pub async fn fill(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let opened = self.get(page).await;
        assert_eq!(opened.status, 200, "{page}: {}", opened.text);
        let hidden = hidden_fields(&opened.text, path);
        let hidden: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
        self.send_form(path, &[hidden.as_slice(), fields].concat()).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.header("cookie", &self.cookie).header("accept", "text/html").send().await;
        let response = response.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }
}

impl Answer {
    /// Where a redirection leads.
    #[track_caller]
    pub fn leads_to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.text);
        self.headers["location"].to_str().unwrap()
    }
}

/// The names and values of the hidden fields of the first form on a page that goes to `path`.
pub fn hidden_fields(page: &str, path: &str) -> Vec<(String, String)> {
    let start =
        page.find(&format!("action=\"{path}\"")).unwrap_or_else(|| panic!("no form for {path}: {page}"));
    let form = &page[start..];
    let form = &form[..form.find("</form>").unwrap()];
    let value = |tag: &str, name: &str| {
        let start = tag.find(&format!("{name}=\""))? + name.len() + 2;
        Some(tag[start..].split('"').next()?.to_owned())
    };
    let hidden = form.split("<input").filter(|tag| tag.contains("type=\"hidden\""));
    hidden.filter_map(|tag| Some((value(tag, "name")?, value(tag, "value")?))).collect()
}
