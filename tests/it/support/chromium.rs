//! A true browser: Chromium without a window, led through chromedriver.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use url::Url;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One Chromium; persons use it one after the other, as at a counter.
pub struct Chromium {
    client: Client,
    driver: Child,
    profile: PathBuf,
    shots: PathBuf,
    shot: std::cell::Cell<u32>,
    size: std::cell::Cell<(u32, u32)>,
}

/// The programs, installed where that is allowed; `false`, with a word on how to get them, when not.
#[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
pub fn is_there() -> bool {
    let runs = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        output.is_ok_and(|output| output.status.success())
    };
    let both = || runs("chromium") && runs("chromedriver");
    if both() {
        return true;
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if root {
        let install = "apt-get update && apt-get install -y chromium chromium-driver";
        drop(Command::new("sh").args(["-c", install]).stdout(Stdio::null()).status());
    }
    if !both() {
        eprintln!("skipped: no Chromium. Get it with: sudo apt-get install -y chromium chromium-driver");
        return false;
    }
    true
}

impl Chromium {
    /// Starts chromedriver and a Chromium with an empty profile.
    pub async fn start(name: &str) -> Self {
        let profile = super::servers::folder().join(format!("{name}-profile"));
        let shots = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        drop(std::fs::remove_dir_all(&profile));
        std::fs::create_dir_all(&profile).unwrap();
        std::fs::create_dir_all(&shots).unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = port_of(&mut driver);
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            &format!("--user-data-dir={}", profile.display()),
        ]
        .map(str::to_owned);
        let capabilities = json!({ "goog:chromeOptions": {
            "args": arguments,
            "prefs": { "intl.accept_languages": "zh-CN,zh" },
        } });
        let connector = hyper_util::client::legacy::connect::HttpConnector::new();
        let client = ClientBuilder::new(connector)
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        let (shot, size) = (std::cell::Cell::new(0), std::cell::Cell::new((390, 844)));
        let chromium = Self { client, driver, profile, shots, shot, size };
        chromium.resize(390, 844).await;
        chromium
    }

    /// Ends Chromium, then its driver.
    pub async fn stop(mut self) {
        drop(self.client.close().await);
        drop(self.driver.kill());
        drop(self.driver.wait());
        drop(std::fs::remove_dir_all(&self.profile));
    }

    /// The next person has a phone.
    pub async fn phone(&self) {
        self.forget().await;
        self.resize(390, 844).await;
    }

    /// The next person sits at a desk.
    pub async fn desk(&self) {
        self.forget().await;
        self.resize(1280, 900).await;
    }

    async fn forget(&self) {
        self.tell("Network.clearBrowserCookies", json!({})).await;
    }

    async fn resize(&self, width: u32, height: u32) {
        self.size.set((width, height));
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Fills fields in by their names.
    pub async fn fill(&self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            let script = "const field = document.getElementsByName(arguments[0])[0]; field.value = arguments[1]; \
                          return field.value === arguments[1]";
            let filled = self.client.execute(script, vec![json!(name), json!(value)]).await.unwrap();
            assert_eq!(filled, json!(true), "{name}");
        }
    }

    /// Presses a button or follows a link that a style-sheet selector names.
    pub async fn press(&self, selector: &str) {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let found = match found {
            Ok(found) => found,
            Err(error) => panic!("no {selector}: {error}\n{}", self.text().await),
        };
        found.click().await.unwrap();
    }

    /// Types as a scanner with a keyboard's plug does: into whatever has the focus.
    pub async fn type_where_the_focus_is(&self, text: &str) {
        let begun = std::time::Instant::now();
        loop {
            let focused = self.client.active_element().await.unwrap();
            if focused.tag_name().await.is_ok_and(|name| name == "input") {
                return focused.send_keys(text).await.unwrap();
            }
            assert!(begun.elapsed() < PATIENCE, "no field has the focus: {}", self.text().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Gives the browser a cookie of the site that is open, as signing in would.
    pub async fn remember(&self, name: &str, value: &str) {
        let url = self.client.current_url().await.unwrap();
        let cookie = json!({ "name": name, "value": value, "url": url.as_str(), "httpOnly": true });
        self.tell("Network.setCookie", cookie).await;
    }

    /// Waits until a text stands on the page that a press has led to, which is not asked for again; gives
    /// all that can be read.
    pub async fn read_until(&self, text: &str) -> String {
        let begun = std::time::Instant::now();
        loop {
            let read = self.text().await;
            if read.contains(text) {
                return read;
            }
            assert!(begun.elapsed() < PATIENCE, "`{text}` never came: {read}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// What can be read on the page.
    pub async fn text(&self) -> String {
        let read = self.client.execute("return document.body.innerText", Vec::new()).await;
        // A page that is just being left has no text.
        read.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Waits until a text can be read, asking for the page again meanwhile.
    pub async fn wait_for(&self, text: &str) {
        let begun = std::time::Instant::now();
        loop {
            let read = self.text().await;
            if read.contains(text) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "`{text}` never came: {read}");
            tokio::time::sleep(Duration::from_millis(500)).await;
            let _again = self.client.refresh().await;
        }
    }

    /// A picture of the whole page; what does not fit or is too small to touch is an error.
    pub async fn shoot(&self, name: &str) {
        self.check_layout(name).await;
        self.shot.set(self.shot.get() + 1);
        let picture = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.tell("Page.captureScreenshot", picture).await;
        let bytes = BASE64.decode(taken["data"].as_str().unwrap().as_bytes()).unwrap();
        std::fs::write(self.shots.join(format!("{:02}-{name}.png", self.shot.get())), bytes).unwrap();
    }

    /// How many sheets the page takes when it is printed.
    pub async fn sheets(&self) -> usize {
        let printed = self.tell("Page.printToPDF", json!({ "preferCSSPageSize": true })).await;
        let pdf = BASE64.decode(printed["data"].as_str().unwrap().as_bytes()).unwrap();
        let pdf = String::from_utf8_lossy(&pdf);
        pdf.matches("/Type /Page").count() - pdf.matches("/Type /Pages").count()
    }

    /// The text of the QR code in a picture on the page.
    pub async fn read_qr(&self, selector: &str) -> String {
        let script = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); \
                      return { x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height, scale: 2 }";
        let clip = self.client.execute(script, vec![json!(selector)]).await.unwrap();
        let picture = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = self.tell("Page.captureScreenshot", picture).await;
        let picture = BASE64.decode(taken["data"].as_str().unwrap().as_bytes()).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        let (width, channels) = (frame.width as usize, frame.color_type.samples());
        let grey = |x: usize, y: usize| bytes[(y * width + x) * channels];
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, frame.height as usize, grey);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code on the poster");
        grids[0].decode().unwrap().1
    }

    /// Nothing sticks out to the side, on this screen and on one of 360 pixels, and everything that is
    /// pressed is large enough for a finger.
    async fn check_layout(&self, name: &str) {
        let (width, height) = self.size.get();
        let widths: &[u32] = if width < 600 { &[360, width] } else { &[width] };
        for width in widths {
            self.resize(*width, height).await;
            let script = "return document.documentElement.scrollWidth - window.innerWidth";
            let over = self.client.execute(script, Vec::new()).await.unwrap();
            assert!(over.as_f64().unwrap() <= 0.0, "{name} is wider than {width} pixels by {over}");
        }
        let script = "return [...document.querySelectorAll('button, .button, header a, nav a, summary, select, \
                      input:not([type=hidden]), main p > a')].filter(e => e.getClientRects().length \
                      && e.getBoundingClientRect().height < 44).map(e => e.outerHTML)";
        let small = self.client.execute(script, Vec::new()).await.unwrap();
        assert_eq!(small, json!([]), "{name}: too small to touch");
        let script = "return [...document.querySelectorAll('main *')].filter(e => e.children.length === 0 \
                      && e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < 17).map(e => e.outerHTML)";
        let tiny = self.client.execute(script, Vec::new()).await.unwrap();
        assert_eq!(tiny, json!([]), "{name}: too small to read");
    }

    async fn tell(&self, cmd: &str, params: Value) -> Value {
        let body = json!({ "cmd": cmd, "params": params });
        self.client.issue_cmd(DevTools(body)).await.unwrap()
    }
}

/// The first line that names the port.
fn port_of(driver: &mut Child) -> u16 {
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = |line: String| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok();
    lines.map_while(Result::ok).find_map(port).expect("chromedriver names its port")
}

/// A command of Chromium's own protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (reqwest::Method, Option<String>) {
        (reqwest::Method::POST, Some(self.0.to_string()))
    }
}
