"""The pages, in a real browser."""

import base64
import json
import shutil

import cv2
import numpy as np
import pytest
from tiny_deployed import tiny_model, tiny_network, write_scan

from xaicovid_mm.apis import CTInferencer
from xaicovid_mm.apis.batch_inference import infer_all
from xaicovid_mm.data_prep.check.report import check_cases
from xaicovid_mm.data_prep.find_cases import find_cases
from xaicovid_mm.data_prep.io.scan import read_volume

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


@pytest.fixture(scope='module')
def results(chest, tmp_path_factory):
    folder = tmp_path_factory.mktemp('scans')
    write_scan(chest, folder)
    (folder / 'bad.nii.gz').write_text('no scan')
    infer_all(
        CTInferencer(tiny_model(tiny_network()), explain=2),
        find_cases([folder]),
        folder / 'out',
    )
    return folder / 'out'


@pytest.fixture
def report(browser, results):
    """The report of a scan, open, its slices loaded."""
    browser.get((results / 'scan' / 'report.html').as_uri())
    wait(browser, 'return document.body.dataset.loaded')
    return json.loads((results / 'scan' / 'prediction.json').read_text())


def wait(browser, script):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 20).until(lambda browser: browser.execute_script(script))


def drawn(browser, view='axial'):
    """The pixels of a view, uint8 (H, W, 3), after what was last asked for is drawn."""
    browser.execute_async_script(
        'const done = arguments[0]; draw(); requestAnimationFrame(() => setTimeout(done, 60))'
    )
    text = browser.execute_script(f"return document.getElementById('{view}').toDataURL()")
    raw = np.frombuffer(base64.b64decode(text.partition(',')[2]), np.uint8)
    return cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1]


def red(pixels):
    """Where the infection is drawn."""
    rgb = pixels.astype(int)
    return (rgb[..., 0] - rgb[..., 1] > 40) & (rgb[..., 0] - rgb[..., 2] > 40)


def number(browser):
    return int(browser.execute_script("return document.getElementById('slice').value"))


def press(browser, key):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(key).perform()


def mouse(browser, kind, view='axial', **event):
    """Send an event of a mouse or finger, with the place as shares of the view."""
    browser.execute_script(
        """
        const [kind, id, { x, y, ...event }] = arguments, target = document.getElementById(id);
        const box = target.getBoundingClientRect(), all = {
          bubbles: true, cancelable: true, pointerId: 1, pointerType: 'mouse', ...event,
          clientX: box.left + x * box.width, clientY: box.top + y * box.height };
        target.setPointerCapture = () => 0;
        target.dispatchEvent(new (kind === 'wheel' ? WheelEvent : PointerEvent)(kind, all));
        """,
        kind,
        view,
        dict(x=0.5, y=0.5) | event,
    )


@pytest.mark.parametrize('width, height', [(1300, 900), (390, 844)], ids=['laptop', 'phone'])
def test_the_page_shows_a_slice_and_fits_the_screen(browser, results, width, height):
    browser.set_window_size(width, height)
    browser.get((results / 'scan' / 'report.html').as_uri())
    wait(browser, 'return document.body.dataset.loaded')
    assert len(np.unique(drawn(browser))) > 20 and len(np.unique(drawn(browser, 'coronal'))) > 20
    inner, needed = browser.execute_script('return [innerWidth, document.body.scrollWidth]')
    assert needed <= inner
    assert 'not a medical device' in browser.page_source.lower()
    assert [entry for entry in browser.get_log('browser') if entry['level'] == 'SEVERE'] == []


def test_wheel_keys_and_the_bar_change_the_slice(browser, report, chest):
    from selenium.webdriver.common.keys import Keys

    depth, at = len(chest.hu), number(browser)
    mouse(browser, 'wheel', deltaY=100)
    assert number(browser) == at + 1  # towards the feet, and numbers count from the head
    press(browser, Keys.ARROW_UP)
    press(browser, Keys.ARROW_UP)
    wait(browser, f"return document.getElementById('slice').value == {at - 1}")
    press(browser, Keys.END)
    assert number(browser) == depth
    mouse(browser, 'pointerdown', 'bar', y=0.001, buttons=1)
    assert number(browser) == 1
    assert f'slice 1 of {depth}' in browser.find_element('id', 'where').text
    heights = [entry['z_mm'] for entry in report['slices']]
    assert f'z {max(heights) + 8 * (report["slices"][-1]["number"] - 1):g} mm' in (
        browser.find_element('id', 'where').text
    )


def test_keys_turn_to_the_same_slices_wherever_the_focus_is(browser, report):
    from selenium.webdriver.common.keys import Keys

    def numbers(place):
        browser.execute_script('goTo(Math.floor(Z / 2))')
        element, found = browser.find_element('id', place), []
        for key in (Keys.ARROW_UP, Keys.PAGE_UP, Keys.ARROW_DOWN, Keys.PAGE_DOWN, Keys.END):
            element.send_keys(key)
            wait(browser, 'return axial.canvas.dataset.drawn == Z - state.z')
            found.append(number(browser))
        return found

    on_the_scan = numbers('axial')
    assert on_the_scan[1] < on_the_scan[0] < on_the_scan[3]  # up is towards the head
    assert numbers('slice') == on_the_scan


def test_it_opens_at_the_most_infected_slice(browser, report, results):
    infection = read_volume(results / 'scan' / 'infection.nii.gz').data
    assert number(browser) == len(infection) - infection.sum((1, 2)).argmax()


def test_a_finger_scrolls_and_two_zoom(browser, report):
    at, finger = number(browser), dict(pointerType='touch', buttons=1)
    mouse(browser, 'pointerdown', **finger)
    mouse(browser, 'pointermove', y=0.55, **finger)
    assert number(browser) == at + 1
    mouse(browser, 'pointerdown', x=0.6, **{**finger, 'pointerId': 2})
    mouse(browser, 'pointermove', x=0.9, **{**finger, 'pointerId': 2})
    assert browser.execute_script('return axial.zoom') > 1
    press(browser, '0')
    assert browser.execute_script('return axial.zoom') == 1


def touch(browser, kind, *places):
    """Send fingers through the browser's own input, with their places as shares of the view."""
    left, top, width, height = browser.execute_script(
        """
        const view = document.getElementById('axial');
        view.scrollIntoView({ block: 'center' });
        const box = view.getBoundingClientRect();
        return [box.left, box.top, box.width, box.height];
        """
    )
    points = [
        dict(x=left + x * width, y=top + y * height, id=number)
        for number, (x, y) in enumerate(places)
    ]
    event = dict(type=kind, touchPoints=points)
    browser.execute_cdp_cmd('Input.dispatchTouchEvent', event)


def test_real_touches_scroll_zoom_and_tap(browser, report):
    """Also the browser's own scrolling and its cancelling of pointers take part."""
    at = number(browser)
    touch(browser, 'touchStart', (0.5, 0.4))
    for step in range(1, 5):
        touch(browser, 'touchMove', (0.5, 0.4 + 0.03 * step))
    touch(browser, 'touchEnd')
    assert number(browser) > at and browser.execute_script('return axial.zoom') == 1
    touch(browser, 'touchStart', (0.4, 0.5), (0.6, 0.5))
    for step in range(1, 5):
        touch(browser, 'touchMove', (0.4 - 0.04 * step, 0.5), (0.6 + 0.04 * step, 0.5))
    touch(browser, 'touchEnd')
    assert browser.execute_script('return axial.zoom') == pytest.approx(0.52 / 0.2, rel=0.05)
    press(browser, '0')
    touch(browser, 'touchStart', (0.5, 0.25))
    touch(browser, 'touchEnd')
    height = browser.execute_script('return H')
    assert browser.execute_script('return state.y') == pytest.approx(0.25 * height, abs=3)


def test_a_drag_changes_the_window_and_a_key_brings_the_next(browser, report):
    lung = drawn(browser)
    mouse(browser, 'pointerdown', buttons=1)
    mouse(browser, 'pointermove', x=0.7, buttons=1)
    assert browser.execute_script('return state.high - state.low') > 1500
    mouse(browser, 'pointerup', x=0.7)
    assert (drawn(browser) != lung).any()
    browser.execute_script('document.getElementById("window").value = "-1350,150"')
    press(browser, 'w')
    wait(browser, "return document.getElementById('level').textContent.includes('W 400')")
    assert (drawn(browser) != lung).any()


def test_zoom_changes_the_bar_of_the_scale_with_the_pixels(browser, report):
    def mm_of_a_pixel():
        bar = browser.find_element('css selector', '#axial ~ .scale')
        return float(bar.get_attribute('data-mm')) / browser.execute_script(
            'return arguments[0].getBoundingClientRect().width', bar
        )

    drawn(browser)
    whole = mm_of_a_pixel()
    across = browser.execute_script('return W * MM_X / axial.canvas.clientWidth')
    assert whole == pytest.approx(across, rel=0.02)
    mouse(browser, 'wheel', deltaY=-300, ctrlKey=True)
    drawn(browser)
    assert whole / mm_of_a_pixel() == pytest.approx(np.e, rel=0.02)


def test_overlays_come_and_go(browser, report):
    both = drawn(browser)
    assert red(both).any()
    press(browser, 'i')
    assert not red(drawn(browser)).any()
    for name in ('prob', 'caam', 'cam'):
        before = drawn(browser)
        press(browser, 'm')
        assert browser.execute_script('return chosenMap()') == name
        assert (drawn(browser) != before).any()
    assert (drawn(browser, 'coronal') != both[: len(both)].mean()).any()


def test_a_lesion_on_the_right_of_the_patient_is_on_the_left_of_the_reader(
    browser, deployed, scan, chest, tmp_path
):
    """In a file that lies on its side; the mark at that side says R."""
    right = chest.lung & (np.arange(chest.lung.shape[2]) < chest.lung.shape[2] // 2 - 8)
    right[:, : chest.lung.shape[1] // 2] = False  # and at the back
    inferencer = CTInferencer(deployed, explain=0)
    real, cut = inferencer.predictor, inferencer._slices

    def planted(images, explain, timer, lung):
        predicted = real(images, explain, timer, lung)
        predicted.prob = planes[0].astype(np.float16)
        return predicted

    def slices_of(*args):
        slices, images = cut(*args)
        planes.append(slices.grid.cut(right)[slices.planes])
        return slices, images

    planes = []
    inferencer._slices, inferencer.predictor = slices_of, planted
    burden = inferencer(scan, tmp_path / 'out' / 'planted')['burden']
    assert burden['right']['infection_ml'] > 50 and burden['left']['infection_ml'] < 5
    browser.get((tmp_path / 'out' / 'planted' / 'report.html').as_uri())
    wait(browser, 'return document.body.dataset.loaded')
    for view in ('axial', 'coronal'):
        if view == 'coronal':
            mouse(browser, 'pointerdown', y=0.65, buttons=1)
            mouse(browser, 'pointerup', y=0.65)
        rows, columns = np.nonzero(red(drawn(browser, view)))
        shape = drawn(browser, view).shape
        assert len(columns) > 20 and columns.max() < shape[1] / 2
        if view == 'axial':
            assert rows.min() > 0.35 * shape[0]
        marks = {
            mark.get_attribute('class'): mark.text
            for mark in browser.find_elements('css selector', f'#{view} ~ span')
        }
        assert (marks['w'], marks['e']) == ('R', 'L')
        assert (marks['n'], marks['s']) == (('A', 'P') if view == 'axial' else ('H', 'F'))


def test_a_click_in_the_coronal_view_goes_to_a_slice(browser, report, chest):
    mouse(browser, 'pointerdown', 'coronal', y=0.25)
    mouse(browser, 'pointerup', 'coronal', y=0.25)
    assert number(browser) == pytest.approx(1 + 0.25 * len(chest.hu), abs=1)


def test_the_coronal_view_has_square_pixels_and_greys_between_the_slices(browser, report):
    """A made scan: the grey of a slice is seven times its number."""
    rows, depth, mm, greys = browser.execute_script(
        """
        for (let z = 0; z < Z; z++) scan.fill(7 * z, z * H * W, (z + 1) * H * W);
        const greys = [...Array(coronal.height).keys()].map(row => coronalGrey(row, 3));
        return [coronal.height, Z, [coronal.mmX, coronal.mmY], greys];
        """
    )
    assert rows > 2 * depth and mm[1] == pytest.approx(mm[0], rel=0.02)
    expected = 7 * (depth - 0.5 - (np.arange(rows) + 0.5) * depth / rows).clip(0, depth - 1)
    np.testing.assert_allclose(greys, expected, atol=0.51)


def test_a_narrower_window_leaves_no_gap_under_the_scan(browser, results):
    """The bar beside the scan once kept the height of the wide window."""
    browser.set_window_size(1300, 900)
    browser.get((results / 'scan' / 'report.html').as_uri())
    wait(browser, 'return document.body.dataset.loaded')
    browser.set_window_size(500, 900)
    drawn(browser)
    heights = "return ['#axial', '.axial'].map(s => document.querySelector(s).clientHeight)"
    scan, frame = browser.execute_script(heights)
    assert frame == pytest.approx(scan, abs=1)


def test_a_button_shows_the_saliency_of_a_slice_that_weighs(browser, report):
    button = browser.find_elements('css selector', '[data-slice]')[0]
    button.click()
    assert browser.execute_script('return chosenMap()') == 'saliency'
    depth = browser.execute_script('return Z')
    assert number(browser) == depth - int(button.get_attribute('data-slice'))
    drawn(browser)
    assert 'no saliency' not in browser.find_element('id', 'said').text


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
    wait(browser, 'return document.body.dataset.loaded')


def test_a_flag_shows_the_cases_that_have_it(browser, results):
    browser.get((results / 'cohort.html').as_uri())

    def shown():
        cells = browser.find_elements('css selector', 'tbody td:first-child')
        return [cell.text for cell in cells if cell.is_displayed()]

    browser.find_element('css selector', '[data-flag="not predicted"]').click()
    assert shown() == ['bad']
    browser.find_element('css selector', '[data-flag="training data unknown"]').click()
    assert shown() == ['scan']
    browser.find_element('css selector', '[data-flag=""]').click()
    assert shown() == ['bad', 'scan']


def phone(browser):
    metrics = dict(width=390, height=844, deviceScaleFactor=1, mobile=True)
    browser.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', metrics)


@pytest.mark.parametrize('cell', ['td.issues', 'td.scan'])
def test_the_page_of_a_check_is_not_squeezed_on_a_phone(browser, tmp_path, cell):
    (tmp_path / 'scans').mkdir()
    (tmp_path / 'scans' / 'bad.nii.gz').write_text('no scan')
    check_cases(tmp_path / 'scans', tmp_path / 'out')
    phone(browser)
    browser.get((tmp_path / 'out' / 'check.html').as_uri())
    width = "return document.querySelector('{}').getBoundingClientRect().width / innerWidth"
    assert browser.execute_script(width.format(cell)) > 0.85
    browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_no_label_of_a_control_is_squeezed_on_a_phone(browser, results):
    phone(browser)
    browser.get((results / 'scan' / 'report.html').as_uri())
    lines = browser.execute_script(
        """
        return [...document.querySelectorAll('.controls > label')].map(label =>
          label.getBoundingClientRect().height / parseFloat(getComputedStyle(label).lineHeight));
        """
    )
    assert len(lines) == 3 and max(lines) < 2.5
    browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})


def test_the_list_of_cases_is_readable_on_a_phone(browser, results):
    phone(browser)
    browser.get((results / 'cohort.html').as_uri())
    inner, needed = browser.execute_script('return [innerWidth, document.body.scrollWidth]')
    assert inner == 390 and needed <= inner
    cell = "return document.querySelector('td[data-label]').getBoundingClientRect().width"
    assert browser.execute_script(cell) > 0.8 * inner
    browser.execute_cdp_cmd('Emulation.clearDeviceMetricsOverride', {})
