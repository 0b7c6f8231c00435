"""Whatever poses as a chest CT, and the chest CT itself."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import shift
from skimage.exposure import equalize_adapthist

from xaicovid_mm.data_prep.io.scan import read_scan
from xaicovid_mm.data_prep.load_case import LoadedCase, binary_mask
from xaicovid_mm.data_prep.lungs.threshold import lung_mask
from xaicovid_mm.data_prep.phantom import make_case
from xaicovid_mm.data_prep.phantom.scanner import SITES
from xaicovid_mm.data_prep.quality.chest import slice_issues
from xaicovid_mm.data_prep.quality.hounsfield import intensity_issues
from xaicovid_mm.data_prep.quality.inspect import check_hounsfield, inspect_scan
from xaicovid_mm.data_prep.quality.issue import refusals, verdict
from xaicovid_mm.data_prep.quality.lung_mask import missed_lung
from xaicovid_mm.data_prep.quality.masks import (
    infection_outside,
    mask_issues,
    value_issues,
    whole_lung_infected,
)
from xaicovid_mm.data_prep.volume import Volume
from xaicovid_mm.utils.errors import ScanError

SPACING = (5.0, 4.0, 4.0)


@pytest.fixture(scope='module', params=SITES, ids=lambda site: site.name)
def chest(request):
    """A phantom with COVID-19 without the empty slice at its foot."""
    case = make_case(2, request.param, [0, 2, 2])
    return case.hu[2:-1], case.spacing, case.lung[2:-1]


@pytest.fixture(scope='module')
def hu():
    return make_case(0, SITES[1], [0, 2, 2]).hu[2:-1].astype(np.float32)


def body(inside, slices=20):
    """An ellipse of tissue with bone in it, and air around it."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:60j, -1:1:80j]
    plane = np.where(x**2 + y**2 < 0.7, inside, -1000.0)
    plane[x**2 + (y - 0.5) ** 2 < 0.02] = 500
    return plane + rng.normal(0, 12, (slices, 60, 80))


def codes(issues, severity=None):
    return [f.code for f in issues if severity in (None, f.severity)]


def only(issues):
    (issue,) = issues
    return issue


def found(hu, spacing=SPACING, lung=None):
    scan = Volume(hu, spacing, np.eye(4), hu.shape)
    masks = {} if lung is None else {'lung': lung}
    return inspect_scan(LoadedCase({}, scan, masks), 'hu', lung_mask).issues


def test_a_chest_of_every_site_passes(chest):
    hu, spacing, lung = chest
    assert found(hu, spacing, lung) == []
    assert found(hu, spacing) == []


@pytest.mark.real_data
@pytest.mark.parametrize('name', ['P001', 'cap001', 'normal001'])
def test_a_real_chest_passes(name):
    folder = Path(os.environ.get('XAICOVID_DATA', '../shared/data'), 'volumes_hu')
    scan = read_scan(folder / f'{name}.nii.gz')
    assert found(scan.data, scan.spacing_mm) == []


def window(hu):
    return ((hu + 1250) / 1500).clip(0, 1)


def equalised(hu):
    return (np.stack([equalize_adapthist(plane) for plane in window(hu)]) * 255).round()


def magnetic_resonance(hu):
    """Dark background, a bright and a brighter tissue."""
    rng = np.random.default_rng(0)
    signal = np.select([hu > 150, hu > -50, hu > -300], [90, 420, 610], 12)
    return np.abs(signal + rng.normal(0, 15, hu.shape))


def noise(level):
    return lambda hu: np.random.default_rng(0).normal(level, 40, hu.shape)


POSING = {
    'no intercept': (lambda hu: hu + 1024, 'intercept', 'subtract 1024$'),
    'no intercept, unsigned': (lambda hu: (hu + 1024).astype('u2'), 'intercept', 'subtract 1024$'),
    'a thousand too much': (lambda hu: hu + 1000, 'intercept', 'subtract 1000$'),
    'intercept twice': (lambda hu: hu - 1024, 'intercept', 'add 1024$'),
    'middle of 16 bits': (lambda hu: hu + 32768, 'intercept', 'subtract 32768$'),
    'odd intercept': (lambda hu: hu + 500, 'intercept', r'subtract (49\d|50\d)$'),
    'wrapped': (lambda hu: hu.astype('i2').view('u2'), 'unsigned', 'subtract 65536'),
    'half': (lambda hu: hu * 0.5, 'slope', 'divide by about 0.50$'),
    'double': (lambda hu: hu * 2, 'slope', 'divide by about 2.0'),
    'a fifth less': (lambda hu: hu * 0.8, 'slope', 'divide by about 0.80$'),
    'a fifth more': (lambda hu: hu * 1.2, 'slope', 'divide by about 1.2'),
    'negative': (lambda hu: -hu, 'inverted', 'by 0 - v$'),
    'inverted and stored': (lambda hu: 1024 - hu, 'inverted', 'by 1024 - v$'),
    '8 bit': (lambda hu: np.uint8(window(hu) * 255), 'display window', '--intensity display'),
    '8 bit as float': (lambda hu: window(hu) * 255, 'display window', '--intensity display'),
    'CLAHE': (equalised, 'equalised', 'as it was before'),
    'unit range': (window, 'unit range', 'as it was before'),
    'minus one to one': (lambda hu: 2 * window(hu) - 1, 'unit range', 'as it was before'),
    'z-score': (lambda hu: (hu - hu.mean()) / hu.std(), 'z-score', 'as it was before'),
    'a mask': (lambda hu: np.uint8(hu < -320), 'unit range', 'as it was before'),
    'soft tissue window': (lambda hu: hu.clip(-160, 240), 'cut values', 'without it$'),
    'MR': (magnetic_resonance, 'not ct', 'MR'),
    'all air': (noise(-1000), 'no contrast', 'scan of a chest'),
    'all water': (noise(0), 'no contrast', 'scan of a chest'),
    'all zero': (lambda hu: hu * 0, 'constant', 'export'),
}


@pytest.mark.parametrize('change, code, remedy', POSING.values(), ids=POSING)
def test_what_is_no_hu_is_refused_by_its_own_name_with_a_remedy(hu, change, code, remedy):
    posing = change(hu)
    issue = only(found(posing))
    assert (issue.code, issue.severity) == (code, 'refused')
    with pytest.raises(ScanError, match=f'scan.nii: .*{remedy}'):
        check_hounsfield('scan.nii', posing)


@pytest.mark.parametrize('change, code, remedy', POSING.values(), ids=POSING)
def test_an_issue_names_the_extremes_of_the_values(hu, change, code, remedy):
    posing = change(hu)
    values = only(intensity_issues(posing)).values
    assert values['low'] == pytest.approx(posing.min(), abs=0.01)
    assert values['high'] == pytest.approx(posing.max(), abs=0.01)


@pytest.mark.parametrize('kind', ['air', 'water'])
def test_nothing_but_one_material_is_named(hu, kind):
    level = dict(air=-1000, water=0)[kind]
    assert f'all {kind}' in only(intensity_issues(noise(level)(hu))).text


def test_the_remedy_for_a_wrong_intercept_makes_the_scan_pass(chest):
    hu, spacing, lung = chest
    wrong = hu + 1024
    number = int(only(intensity_issues(wrong)).remedy.split()[-1])
    assert found(wrong - number, spacing, lung) == []


@pytest.mark.parametrize('seed', range(40))
def test_values_of_any_kind_give_issues_and_no_error(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 12, 3)
    levels = rng.choice(rng.integers(-3000, 3000, 3), shape)
    for values in (levels, rng.normal(0, 10.0 ** rng.integers(-3, 6), shape)):
        assert verdict(found(values)) == 'refused'


def padded(hu, *levels):
    hu = hu.copy()
    y, x = np.mgrid[-1 : 1 : hu.shape[1] * 1j, -1 : 1 : hu.shape[2] * 1j]
    for k, level in enumerate(levels):
        hu[:, x**2 + y**2 > 1 + 0.4 * k] = level
    return hu


@pytest.mark.parametrize('levels', [(-2000,), (-3024,), (-2000, -3024)])
def test_padding_is_a_warning_for_each_of_its_values(hu, levels):
    issues = intensity_issues(padded(hu, *levels))
    assert codes(issues, 'warning') == ['padding'] * len(levels) and verdict(issues) == 'warning'
    assert {f.values['padding'] for f in issues} == set(levels)


def test_padding_does_not_hide_a_wrong_intercept(hu):
    issues = intensity_issues(padded(hu + 1024, -2000))
    assert codes(issues) == ['padding', 'intercept'] and '1024' in issues[1].remedy


@pytest.mark.parametrize('fill', [0, 200, 1000, 3071])
def test_what_fills_a_frame_hides_neither_a_scan_nor_its_offset(hu, fill):
    framed = np.pad(hu, ((0, 0), (20, 20), (20, 20)), constant_values=fill)
    assert intensity_issues(framed) == []
    assert codes(intensity_issues(framed + 1024)) == ['intercept']


def test_the_floor_of_a_scanner_is_no_padding(hu):
    assert (hu == -1024).mean() > 0.1 and intensity_issues(hu) == []


def test_a_lung_window_in_hu_passes_and_one_without_bone_is_a_warning(hu):
    assert intensity_issues(hu.clip(-1350, 150)) == []
    assert codes(intensity_issues(hu.clip(-1350, 60)), 'warning') == ['no bone']


@pytest.mark.parametrize(
    'first, every, level, is_blank',  # a deviation of 43, 69, 56, 66, and 1980
    [
        (1, 4, 100, True),
        (1, 4, 160, False),
        (0, 8, 170, True),
        (0, 8, 200, False),
        (0, 8, 6000, False),
    ],
)
def test_a_slice_is_blank_by_all_of_its_pixels(first, every, level, is_blank):
    values = np.zeros((6, 64, 64), np.int16)
    values[:, ::2] = 1000
    values[3] = 0
    values[3, first::every] = level
    found = codes(slice_issues(values, 5.0))
    assert found == ['blank slices'] * is_blank


def test_a_head_is_no_chest():
    head = body(35)
    head[8:14, 20:26, 36:44] = -1000  # a sinus
    issue = only(found(head))
    assert issue.code == 'no lungs' and issue.values['ml'] < 50


@pytest.mark.parametrize('kind, said', [('empty', 'has 0 ml'), ('outside', 'are gas: median')])
def test_a_wrong_lung_mask_is_not_blamed_on_the_scan(chest, kind, said):
    hu, spacing, lung = chest
    wrong = lung & False if kind == 'empty' else hu < -970
    issues = [*refusals(found(hu, spacing, wrong))]
    assert {issue.column for issue in issues} == {'lung'}
    issue = issues[0]
    assert said in issue.text
    assert 'look at the lung mask' in issue.remedy


def test_a_belly_full_of_gas_is_no_chest():
    belly = body(45)
    belly[2:18, 16:40, 20:60] = np.random.default_rng(0).normal(-995, 10, (16, 24, 40))
    issue = only(found(belly))
    assert issue.code == 'gas' and issue.severity == 'refused'
    assert issue.values['median'] == pytest.approx(-995, abs=2)


def torso(slices=20):
    """Two lungs of 18 columns and up to 30 rows, which taper to nothing at both ends."""
    hu = body(40, slices)
    for z in range(slices):
        rows = min(10 * z, 10 * (slices - 1 - z), 30) if slices > 8 else 30
        hu[z, 15 : 15 + rows, 16:34] -= 890
        hu[z, 15 : 15 + rows, 46:64] -= 890
    return hu


def test_a_torso_passes():
    assert found(torso()) == []


@pytest.mark.parametrize('slices, few', [(4, True), (5, False)])
def test_fewer_than_five_slices_are_refused(slices, few):
    assert ('few slices' in codes(found(torso(slices), (20.0, 4, 4)), 'refused')) == few


@pytest.mark.parametrize('mm, thick', [(10.0, False), (10.1, True)])
def test_slices_more_than_ten_mm_apart_are_a_warning(mm, thick):
    assert ('thick slices' in codes(found(torso(), (mm, 4, 4)), 'warning')) == thick


@pytest.mark.parametrize('where, severity', [([0], 'warning'), ([0, 9], 'refused')])
def test_blank_slices_are_named_and_refused_where_they_lie_between_others(where, severity):
    hu = torso()
    lung = lung_mask(hu, SPACING)
    hu[where] = -1024
    issue = next(f for f in found(hu, lung=lung) if f.code == 'blank slices')
    assert issue.severity == severity and f': {", ".join(map(str, where))} (' in issue.text


@pytest.mark.parametrize('part, name', [(slice(8, None), 'lowest'), (slice(12), 'highest')])
def test_lungs_that_the_scan_begins_or_ends_in_are_a_warning(part, name):
    assert f'{name} slice' in codes(found(torso()[part]), 'warning')


def test_a_field_of_view_that_cuts_both_lungs_says_why_none_are_found():
    cut = torso()[:, 20:]
    assert codes(found(cut)) == ['field of view', 'no lungs']


def test_a_field_of_view_that_cuts_a_given_lung_is_a_warning():
    lung = torso() < -500
    lung[:, :14] = lung[:, 46:] = lung[..., :15] = lung[..., 65:] = False
    assert codes(found(torso()[:, 20:], lung=lung[:, 20:])) == ['field of view']


def test_a_mask_upside_down_shows_in_its_density():
    hu = torso()
    hu[10:, 15:45, 16:64] = 40
    upside_down = lung_mask(hu, SPACING)[::-1]
    assert 'dense lungs' in codes(found(hu, lung=upside_down), 'warning')


MISPLACED = {
    'left to right': lambda lung: lung[..., ::-1],
    'front to back': lambda lung: lung[:, ::-1],
    'upside down': lambda lung: lung[::-1],
    'a slice of 8 mm up': lambda lung: np.roll(lung, 2, 0),
    'to the left': lambda lung: np.roll(lung, 8, 2),
}


@pytest.mark.parametrize('move', MISPLACED.values(), ids=MISPLACED)
def test_a_lung_mask_that_is_not_where_the_lungs_are_is_a_warning(move):
    case = make_case(0, SITES[0], [0, 0, 0])
    issues = found(case.hu, case.spacing, np.ascontiguousarray(move(case.lung)))
    (issue,) = [issue for issue in issues if issue.code == 'lungs outside mask']
    assert (issue.severity, issue.column) == ('warning', 'lung')
    assert f'{issue.values["share"]:.0%} of the lungs' in issue.text


def test_the_share_of_the_lungs_outside_of_their_mask_is_that_of_their_air():
    hu = torso()
    lung = lung_mask(hu, SPACING)
    y, x = np.indices(hu.shape)[1:]
    hu[lung & (y % 5 == 0) & (x % 5 == 0)] = 20  # vessels
    moved, air = np.roll(lung, 10, 2), lung & (hu < -320)
    (issue,) = missed_lung(moved, hu, SPACING, lung_mask)
    assert issue.values['share'] == pytest.approx((air & ~moved).sum() / air.sum(), abs=0.01)
    assert list(missed_lung(air, hu, SPACING, lung_mask)) == []


def test_lungs_are_not_looked_for_beside_a_mask_with_little_tissue_in_it():
    hu = torso()
    lung = lung_mask(hu, SPACING)
    assert (hu[lung] > -300).mean() < 0.07
    assert list(missed_lung(lung, hu, SPACING, None)) == []
    assert list(missed_lung(np.zeros_like(lung), hu, SPACING, None)) == []


@pytest.mark.parametrize('every', [1, 2])
def test_a_lung_mask_on_a_finer_grid_is_looked_at_in_the_same_way(every):
    hu, spacing = torso(), (5.0, 2.0, 2.0)
    fine = [array.repeat(every, 1).repeat(every, 2) for array in (hu, lung_mask(hu, spacing))]
    millimetres = (5.0, 2 / every, 2 / every)
    assert list(missed_lung(fine[1], fine[0], millimetres, lung_mask)) == []
    (issue,) = missed_lung(np.roll(fine[1], 10 * every, 2), fine[0], millimetres, lung_mask)
    (other,) = missed_lung(np.roll(lung_mask(hu, spacing), 10, 2), hu, spacing, lung_mask)
    assert issue.values == other.values


def test_one_lung_is_a_warning():
    hu = torso()
    hu[:, 15:45, 46:64] = 40
    assert 'one lung' in codes(found(hu), 'warning')


def test_the_volume_of_the_lungs_is_checked_in_litres():
    issue = next(f for f in found(torso(), (4.0, 3, 3)) if f.code == 'lung volume')
    voxels = 2 * 18 * (2 * (10 + 20) + 14 * 30)
    assert issue.values['litres'] == pytest.approx(voxels * 36e-6, rel=0.05)


MASK = np.zeros((2, 10, 10), bool)
MASK[:, 2:7] = True


def share_in(outer):
    return lambda mask: float(outer[mask].mean())


def test_a_binary_mask_inside_the_body_has_no_issue():
    assert list(mask_issues('lung', MASK, share_in(~MASK))) == []
    assert list(mask_issues('lung', MASK, None)) == []


def labels(*values):
    """A mask whose rows hold these values in turn."""
    return np.resize(np.repeat(values, 10), (2, 10, 10))


def ringing():
    return shift(MASK.astype(float), (0, 0.5, 0.5), order=3)


def jpeg():
    file = io.BytesIO()
    Image.fromarray(np.uint8(255 * np.kron(MASK[0], np.ones((3, 3))))).save(file, 'JPEG')
    return np.asarray(Image.open(file))[None]


NO_MASKS = {
    'label map': (labels(0, 1, 2, 3), 'label map', 'values 0, 1, 2, 3,.*--infection-values'),
    'one label': (labels(0, 3), 'label map', 'values 0, 3,.*--infection-values'),
    'label map of floats': (labels(0.0, 1.0, 2.0), 'label map', 'values 0, 1, 2,'),
    'grey labels': (labels(0, 127, 255), 'label map', 'values 0, 127, 255,'),
    'slices of 1 and of 255': (labels(0, 1, 255), 'label map', 'values 0, 1, 255,'),
    'a label of 255 that is ignored': (labels(0, 1, 2, 3, 255), 'label map', 'values 0, 1, 2, 3,'),
    'many labels': (labels(*range(20)), 'label map', 'values 0, 1, .* 7 and 12 more'),
    'negative': (labels(-1, 0, 1), 'label map', 'values -1, 0, 1,'),
    'byte of 255 read with a sign': (labels(-1, 0), 'label map', 'values -1, 0,.*-values'),
    'probabilities': (MASK * 0.7, 'mask values', 'from 0 to 0.7 .*probabilities'),
    'logits': (labels(-8.5, 3.25), 'mask values', 'from -8.5 to 3.25'),
    'next to nothing': (MASK * 1e-6, 'mask values', 'from 0 to 1e-06 '),
    'half': (np.float16(MASK * 0.5), 'mask values', 'probabilities'),
    'ringing': (ringing(), 'mask values', 'splines: .*nearest neighbour'),
    'ringing of 255': (255 * ringing(), 'mask values', 'splines'),
    'ringing, rounded': (np.rint(255 * ringing()).astype(int), 'mask values', 'splines'),
    'grey labels, many': (labels(0, 40, 80, 120, 160, 200), 'label map', 'values 0, 40,'),
    'JPEG': (jpeg(), 'mask values', 'JPEG: make 1 of 128 and above'),
    'the scan': (np.random.default_rng(0).normal(-600, 300, (4, 9, 9)), 'mask values', 'the scan'),
    'blurred': (np.linspace(0, 255, 243).reshape(3, 9, 9).astype(int), 'mask values', 'blurred'),
}


@pytest.mark.parametrize('values, code, said', NO_MASKS.values(), ids=NO_MASKS)
def test_what_is_no_mask_of_0_and_1_is_refused_with_what_was_found(values, code, said):
    issue = only(value_issues('infection', values))
    assert (issue.code, issue.severity) == (code, 'refused')
    assert re.search(said, f'{issue.text}: {issue.remedy}')


MASKS = {
    'bool': MASK,
    '0 and 1': MASK.astype(np.uint8),
    '0 and 255': MASK * np.uint8(255),
    'floats': MASK.astype(float),
    'scaled': np.float32(MASK) / 32767 * np.float32(32767.01),
    'nothing': MASK * 0,
    'everything': np.ones((1, 2, 2), int),
}


@pytest.mark.parametrize('values', MASKS.values(), ids=MASKS)
def test_a_mask_of_two_values_is_taken_as_it_is(values):
    assert list(value_issues('infection', values)) == []
    np.testing.assert_array_equal(binary_mask(values), values != 0)


def test_a_lung_mask_that_numbers_the_lungs_is_taken_with_a_warning():
    issue = only(value_issues('lung', labels(0, 1, 2)))
    assert (issue.code, issue.severity) == ('label map', 'warning')
    assert only(value_issues('lung', labels(0, 1, 2, 3))).severity == 'refused'


@pytest.mark.parametrize('kind', [np.uint8, np.int16, np.float32])
def test_the_user_says_what_counts_in_a_label_map(kind):
    values = labels(0, 1, 2, 3).astype(kind)
    assert list(value_issues('infection', values, [2, 3])) == []
    np.testing.assert_array_equal(binary_mask(values, [2, 3]), values >= 2)


def test_a_negative_value_can_be_named():
    values = labels(-1, 0)
    assert list(value_issues('infection', values, [-1])) == []
    np.testing.assert_array_equal(binary_mask(values, [-1]), values == -1)


@pytest.mark.parametrize('values, named', [(MASK * 0.7, 1), (jpeg(), 255)], ids=['shares', 'JPEG'])
def test_naming_values_makes_no_mask_of_probabilities_or_noise(values, named):
    assert only(value_issues('infection', values, [named])).code == 'mask values'


def test_a_mask_whose_values_are_wrong_gets_no_further_checks():
    scan = Volume(torso(), SPACING, np.eye(4), torso().shape)
    case = LoadedCase({}, scan, {'infection': np.resize(labels(0, 1, 2), scan.data.shape)})
    assert codes(inspect_scan(case, 'hu', lung_mask).issues) == ['label map']
    case.mask_values = {'infection': (2,)}
    assert 'mask outside' in codes(inspect_scan(case, 'hu', lung_mask).issues)


@pytest.mark.parametrize('label, said', [('COVID-19', 'in a case of class COVID-19'), ('', '')])
def test_an_empty_mask_is_a_warning(label, said):
    issue = only(mask_issues('infection', MASK & False, share_in(~MASK), label))
    assert (issue.code, issue.severity) == ('empty mask', 'warning') and said in issue.text


@pytest.mark.parametrize('label', ['NP', 'CAP'])
def test_an_infection_in_a_class_without_one_is_a_warning(label):
    issue = only(mask_issues('infection', MASK, None, label))
    assert (issue.code, issue.severity) == ('infection of a clean class', 'warning')
    assert issue.values == {'voxels': 100} and label in issue.text
    assert list(mask_issues('infection', MASK & False, None, label)) == []
    assert list(mask_issues('lung', MASK, None, label)) == []


def test_an_empty_cause_is_what_a_healthy_case_has_and_no_other():
    assert list(mask_issues('cause', MASK & False, None, 'NP')) == []
    assert codes(mask_issues('cause', MASK & False, None, 'CAP')) == ['empty mask']
    assert codes(mask_issues('cause', MASK & False, None, 'COVID-19')) == ['empty mask']


@pytest.mark.parametrize('rows, severity', [(0, None), (1, 'warning'), (2, 'refused')])
def test_a_mask_outside_of_the_body_is_told_by_its_share(rows, severity):
    outer = np.zeros(MASK.shape, bool)
    outer[:, 2 : 2 + rows, :7] = True  # 7 voxels of 50 a row
    issues = mask_issues('infection', MASK, share_in(outer))
    assert [f.severity for f in issues] == [severity] * bool(rows)


@pytest.mark.parametrize('voxels, outside', [(1, False), (2, True)])  # of 100
def test_more_than_a_hundredth_of_an_infection_outside_of_the_lungs_is_a_warning(voxels, outside):
    lung = np.ones(MASK.shape, bool)
    lung[0, 2, :voxels] = False
    assert bool(codes(infection_outside(MASK > 0, lung), 'warning')) == outside


@pytest.mark.parametrize('voxels, whole', [(90, False), (91, True)])  # of 100
def test_more_than_nine_tenths_of_the_lungs_infected_is_a_warning(voxels, whole):
    infection = np.zeros(MASK.size, bool)
    infection[np.flatnonzero(MASK)[:voxels]] = True
    infection[-1] = True  # outside of the lungs it does not count
    issues = whole_lung_infected(infection.reshape(MASK.shape), MASK)
    assert codes(issues, 'warning') == ['whole lung infected'] * whole


def test_an_infection_mask_that_is_the_lung_mask_is_a_warning():
    case = make_case(2, SITES[1], [0, 2, 2])
    masks = {'lung': case.lung, 'infection': case.lung}
    scan = Volume(case.hu, case.spacing, np.eye(4), case.hu.shape)
    issues = inspect_scan(LoadedCase({}, scan, masks, label='COVID-19'), 'hu', lung_mask).issues
    assert codes(issues, 'warning') == ['whole lung infected']


def test_infection_that_the_threshold_loses_is_a_warning_with_its_share():
    hu = torso()
    hu[5:15, 15:25, 16:30] = 30  # a dense lesion at the pleura
    lesion = np.zeros(hu.shape, np.uint8)
    lesion[5:15, 15:25, 16:30] = 1
    case = LoadedCase({}, Volume(hu, SPACING, np.eye(4), hu.shape), dict(infection=lesion))
    inspection = inspect_scan(case, 'hu', lung_mask)
    issue = next(f for f in inspection.issues if f.code == 'infection outside')
    lost = (lesion > 0) & ~inspection.lung
    assert issue.severity == 'warning'
    assert issue.values['share'] == pytest.approx(lost.sum() / lesion.sum())
    assert issue.values['share'] > 0.5 and f'{issue.values["share"]:.1%}' in issue.text
