#!/usr/bin/env python3
"""Clicks through an HTML report in a real, headless Chromium.

usage: report.py --gilaudit EXE PATH...

Audits PATHs, opens the report and uses it as a reader would: filters, sorts, opens a section, switches the theme, walks with the
keyboard. Prints the size of the page and how long the slowest filter took, from the key to the next frame. Needs Debian's chromium and
chromium-driver, and selenium from PyPI.

Exit status: 0 all as it should be, 1 something is not, 77 skipped because there is no browser.
"""
import argparse, os, shutil, subprocess, sys, tempfile, time

LARGEST = 5_000_000  # bytes, for 5,000 modules
SLOWEST = 200  # milliseconds

a = argparse.ArgumentParser()
a.add_argument("--gilaudit", required=True)
a.add_argument("--screenshots", help="a folder for pictures of the report, light and dark")
a.add_argument("paths", nargs="+")
o = a.parse_args()

chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
try:
    from selenium import webdriver
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None
if not (chromium and driver and webdriver):
    print("SKIPPED: the HTML report was not opened in a browser: chromium, chromedriver or selenium is missing")
    sys.exit(77)

folder = tempfile.TemporaryDirectory()
page = os.path.join(folder.name, "report.html")
ran = subprocess.run([o.gilaudit, "check", "--no-progress", "--format", "html", "--output", page, *o.paths])
size = os.path.getsize(page)

options = webdriver.ChromeOptions()
options.binary_location = chromium
for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1600"):
    options.add_argument(argument)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
try:
    browser = webdriver.Chrome(options=options, service=Service(driver))
except WebDriverException as error:
    print(f"SKIPPED: the HTML report was not opened in a browser: it does not start: {error.msg}")
    sys.exit(77)
failed = []


def expect(what, holds):
    print(("ok     " if holds else "WRONG  ") + what)
    if not holds:
        failed.append(what)


def shown():
    """How many modules the table says it has, and of how many."""
    words = browser.find_element(By.ID, "shown").text.replace(",", "").split()
    return int(words[0]), int(words[words.index("of") + 1])


def picture(name):
    if o.screenshots:
        browser.execute_script("scrollTo(0, 0)")
        browser.save_screenshot(os.path.join(o.screenshots, name))


browser.get("file://" + page)
expect("the verdict comes first", browser.find_element(By.CSS_SELECTOR, "main h1, main h2").get_attribute("id") == "verdict-title")
matching, total = shown()
expect(f"all {total} modules are counted", matching == total and total > 0)
picture("light.png")

# The time from a change of the filter to the frame that shows it.
TIMED = """
const [text, done] = [arguments[0], arguments[1]];
const field = document.getElementById('filter');
const begin = performance.now();
field.value = text;
field.dispatchEvent(new Event('input', {bubbles: true}));
const settled = () => requestAnimationFrame(() => done(performance.now() - begin));
requestAnimationFrame(settled);
"""
# The best of three of each: what else the machine does is not the page's.
texts = ("a", "an", "core", "no such module at all", "")
times = [[browser.execute_async_script(TIMED, text) for text in texts] for _ in range(3)]
slowest = max(map(min, zip(*times)))
expect(f"the slowest filter took {slowest:.0f} ms, at most {SLOWEST}", slowest <= SLOWEST)
browser.find_element(By.ID, "filter").send_keys("no such module at all")
browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
expect("a filter without matches leaves none", shown() == (0, total))
browser.execute_async_script(TIMED, "")
expect("an empty filter shows all again", shown()[0] == total)

button = browser.find_elements(By.CSS_SELECTOR, "#head button")[1]
browser.execute_script("arguments[0].focus()", button)
browser.switch_to.active_element.send_keys(Keys.ENTER)
expect("a column is sorted with the keyboard, and says so", browser.find_elements(By.CSS_SELECTOR, "[aria-sort=ascending]") != [])

section = browser.find_element(By.CSS_SELECTOR, "#distributions summary")
browser.execute_script("arguments[0].scrollIntoView()", section)
details = section.find_element(By.XPATH, "..")
alone = len(browser.find_elements(By.CSS_SELECTOR, "#distributions summary")) == 1
expect("a section is open at first where it is the only one", (details.get_attribute("open") is not None) == alone)
if not alone:
    browser.execute_script("arguments[0].click()", section)
expect("a section opens", details.get_attribute("open") is not None)
# It is filled by an event that comes after the click.
for _ in range(50):
    inside = details.find_elements(By.CSS_SELECTOR, ".inside")
    if inside:
        break
    time.sleep(0.1)
expect("what is in it is there", inside != [])

before = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
browser.execute_script("scrollTo(0, 0)")
browser.find_element(By.ID, "theme").click()
expect("the theme changes", browser.execute_script("return getComputedStyle(document.body).backgroundColor") != before)
picture("dark.png")
expect("nothing reaches for the network", "http-equiv" in browser.page_source and "default-src 'none'" in browser.page_source)
log = [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
expect(f"the console is silent {log or ''}", not log)
if total >= 4_500:
    expect(f"{total} modules take {size} bytes, at most {LARGEST}", size <= LARGEST)
else:
    print(f"       {total} modules take {size} bytes")
browser.quit()
if ran.returncode not in (0, 1):
    sys.exit(f"gilaudit: exit code {ran.returncode}")
sys.exit(1 if failed else 0)
