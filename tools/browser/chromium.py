"""Chromium without a window, and what a step looks for in a page."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

#: In seconds: other work may slow the machine down.
LONG = 90
#: Nothing of it asks anything of the network.
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars"),
)
#: Enough for text and a few colours; a picture is a third of its size then.
COLOURS = 256
#: In one go: rows may be replaced while they are looked at.
FIND = """
    const [selector, texts] = arguments;
    const isMeant = (one) => one.checkVisibility() && texts.every((text) => one.innerText.includes(text));
    const found = [...document.querySelectorAll(selector)].filter(isMeant);
"""


class Browser:
    """One page in Chromium."""

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver

    def open(self, address: str) -> None:
        self.driver.get(address)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Light or dark, and no animations, so that two pictures of the same are alike."""
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def point_nowhere(self) -> None:
        """Moves the mouse to where nothing reacts to it."""
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 1, "y": 1})

    def may_copy(self, address: str) -> None:
        permissions = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        self.driver.execute_cdp_cmd("Browser.grantPermissions", {"origin": address, "permissions": permissions})

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str, *texts: str) -> list[WebElement]:
        """The elements that can be seen and have these texts."""
        return self.run(FIND + "return found;", selector, texts)

    def text(self, selector: str) -> str:
        return self.run(FIND + "return found.map((one) => one.innerText).join('\\n');", selector, [])

    def one(self, selector: str, *texts: str) -> WebElement:
        """Waits for an element with these texts."""
        return self.until(lambda: next(iter(self.all(selector, *texts)), None), f"{selector} with {texts}")

    def click(self, selector: str, *texts: str) -> None:
        def clicked() -> bool:
            element = self.one(selector, *texts)
            self.run("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True

        self.until(clicked, f"{selector} with {texts} to click")

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Waits until a condition holds."""
        wait = WebDriverWait(self.driver, LONG, 0.1, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: condition(), f"missing: {what}")

    def press(self, *keys: str) -> None:
        """Presses keys wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def complaints(self) -> list[str]:
        """What the browser has logged since the last call: errors of scripts, and what the page's policy forbade."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def photograph(self, path: Path) -> None:
        picture = Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser with a fresh profile, which ends with the block."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        for switch in (*SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        try:
            yield Browser(driver)
        finally:
            driver.quit()
