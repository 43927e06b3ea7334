"""A browser without a window, for tests of pages: Chromium by its driver, with nothing but the page to load."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def found():
    """Browser and driver, or None where one is missing."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


@contextmanager
def opened(profile):
    """A browser with an empty profile in the folder `profile`."""
    browser, driver = found()
    options = Options()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def resized(chrome, width, height=1000):
    """The window as wide as a phone's may be, which a window of its own cannot."""
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def shown(chrome, address):
    """Open `address`, and wait until its figures are drawn."""
    chrome.get(address)
    until(chrome, lambda: chrome.execute_script("return document.documentElement.dataset.ready") == "yes")


def until(chrome, holds, seconds=60):
    """Wait until `holds()` is true; fail where it never is."""
    WebDriverWait(chrome, seconds, poll_frequency=0.1).until(lambda _: holds())


def complaints(chrome):
    """What the browser's console says that is more than a note."""
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]
