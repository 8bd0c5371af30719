"""The page in a real headless browser: sliders by keyboard, the link, no error in the console, narrow and wide."""

import shutil
import time

import pytest
import torch

import pyrogen as pg

pytest.importorskip("panel")
webdriver = pytest.importorskip("selenium.webdriver")
BROWSER, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Panel, Bokeh and Selenium
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs chromium and chromedriver"),
]

DEEP = """
const found = [];
const walk = root => {
  root.querySelectorAll(arguments[0]).forEach(e => found.push(e));
  root.querySelectorAll('*').forEach(e => e.shadowRoot && walk(e.shadowRoot));
};
walk(document);
"""
WIDTH = "found.filter(e => e.alt.includes('decoded')).map(e => e.getBoundingClientRect().width)[0]"
PATIENCE = 60.0  # seconds


@pytest.fixture(scope="module")
def server():
    torch.manual_seed(0)
    pair = pg.models.VAE(pg.nn.MLPEncoder((8, 8), 3), pg.nn.MLPDecoder((8, 8), 3))
    served = pg.explore.explore(pair, torch.bernoulli(torch.full((30, 8, 8), 0.4)), show=False, wait=False)
    time.sleep(1.0)
    yield f"http://127.0.0.1:{served.port}/"
    served.stop()


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def ask(browser, selector, words):
    return browser.execute_script(DEEP + f"return {words};", selector)


def until(condition):
    started = time.monotonic()
    while not (value := condition()):
        assert time.monotonic() - started < PATIENCE, "the page did not answer"
        time.sleep(0.05)
    return value


def decoded(browser):
    return ask(browser, "img", "found.filter(e => e.alt.includes('decoded')).map(e => e.src)[0]")


def opened(browser, address, width=1400):
    browser.set_window_size(width, 1000)
    browser.get(address)
    return until(lambda: decoded(browser))


def test_a_key_on_a_slider_moves_the_picture_and_the_link_keeps_it(browser, server):
    before = opened(browser, server)
    assert len(ask(browser, ".noUi-handle", "found.map(e => e.tabIndex)")) == 3
    browser.execute_script(DEEP + "found[0].focus(); return 0;", ".noUi-handle")
    for _ in range(20):
        _key(browser)
    until(lambda: decoded(browser) != before)
    until(lambda: "z=" in browser.current_url)
    time.sleep(1.0)
    moved, link = decoded(browser), browser.current_url
    browser.get("about:blank")
    opened(browser, link)
    assert until(lambda: decoded(browser) == moved)
    errors = [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert errors == []


def _key(browser):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_window(browser, server, width):
    opened(browser, server, width)
    inner, scrolled = browser.execute_script("return [window.innerWidth, document.documentElement.scrollWidth]")
    assert scrolled <= inner + 1
    size = ask(browser, "img", WIDTH)
    assert size >= 150
