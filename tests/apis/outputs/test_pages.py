"""The pages, in a real browser."""

import shutil

import pytest

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.data_prep.case_table import find_cases

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
DRIVER = shutil.which('chromedriver')  # Selenium would ask the network for one
MISSING = [
    package
    for package, found in (('chromium', CHROMIUM), ('chromium-driver', DRIVER))
    if found is None
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f'not on this machine: {" and ".join(MISSING)}'),
]


@pytest.fixture(scope='module')
def browser():
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture
def results(deployed, scan, tmp_path):
    (tmp_path / 'bad.nii.gz').write_text('no scan')
    infer_all(CTInferencer(deployed, explain=2), find_cases([tmp_path]), tmp_path / 'out')
    return tmp_path / 'out'


def drawn(browser):
    from selenium.webdriver.support.ui import WebDriverWait

    def ready(browser):
        return browser.execute_script(
            "return document.getElementById('view').dataset.drawn === "
            "document.getElementById('slice').value"
        )

    WebDriverWait(browser, 10).until(ready)
    return browser.execute_script(
        "const v = document.getElementById('view');"
        'return [...v.getContext("2d").getImageData(0, 0, v.width, v.height).data]'
    )


def press(browser, key):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(key).perform()


@pytest.mark.parametrize('width, height', [(1280, 900), (390, 844)], ids=['laptop', 'phone'])
def test_the_page_shows_a_slice_and_fits_the_screen(browser, results, width, height):
    browser.set_window_size(width, height)
    browser.get((results / 'scan' / 'report.html').as_uri())
    pixels = drawn(browser)
    assert len(set(pixels)) > 20
    inner, needed = browser.execute_script('return [innerWidth, document.body.scrollWidth]')
    assert needed <= inner
    assert 'not a medical device' in browser.page_source.lower()
    assert [entry for entry in browser.get_log('browser') if entry['level'] == 'SEVERE'] == []


def test_keys_change_slice_overlay_and_window(browser, results):
    from selenium.webdriver.common.keys import Keys

    browser.get((results / 'scan' / 'report.html').as_uri())
    first, slider = drawn(browser), "return document.getElementById('slice').value"
    at = int(browser.execute_script(slider))
    press(browser, Keys.ARROW_DOWN if at else Keys.ARROW_UP)
    assert abs(int(browser.execute_script(slider)) - at) == 1
    other = drawn(browser)
    assert other != first
    for key in ('2', 'w'):
        before = drawn(browser)
        press(browser, key)
        browser.execute_async_script('setTimeout(arguments[0], 300)')
        assert drawn(browser) != before


def test_a_button_jumps_to_a_slice_that_drove_the_decision(browser, results):
    browser.get((results / 'scan' / 'report.html').as_uri())
    drawn(browser)
    button = browser.find_elements('css selector', '[data-slice]')[-1]
    button.click()
    drawn(browser)
    value = browser.execute_script("return document.getElementById('slice').value")
    assert value == button.get_attribute('data-slice')


def test_the_list_of_cases_sorts_and_links(browser, results):
    browser.get((results / 'cohort.html').as_uri())

    def column():
        return [c.text for c in browser.find_elements('css selector', 'tbody td:first-child')]

    assert column() == ['bad', 'scan']
    head = browser.find_element('css selector', 'th button')
    head.click()
    head.click()
    assert column() == ['scan', 'bad']
    browser.find_element('link text', 'scan').click()
    assert browser.current_url.endswith('/scan/report.html')
    assert drawn(browser)
