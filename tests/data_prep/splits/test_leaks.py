"""What two parts of a split must not share."""

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.feature import match_template

from xaicovid_mm.data_prep.splits.assign import write_split
from xaicovid_mm.data_prep.splits.fingerprint import without_frame
from xaicovid_mm.data_prep.splits.leaks import find_leaks, leak_text
from xaicovid_mm.data_prep.splits.moved_copies import (
    MIN_MOVED_CORRELATION,
    POSES,
    correlation_once_laid_on,
    small_picture,
)
from xaicovid_mm.data_prep.splits.near_duplicates import fingerprints
from xaicovid_mm.data_prep.splits.record import check_split, known_leaks
from xaicovid_mm.data_prep.splits.texture import correlation, texture
from xaicovid_mm.data_prep.store.reader import SliceStore
from xaicovid_mm.data_prep.store.writer import StoreCase, StoreWriter
from xaicovid_mm.utils.errors import StoreError

SIDE = 96


def chest(seed, slices=2):
    """Slices in [0, 1] of about the same build for everybody, and everybody's own vessels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    x, y = x * rng.uniform(0.97, 1.03), y * rng.uniform(0.97, 1.03)
    lung = ((np.abs(x) - 0.2) / 0.15) ** 2 + (y / 0.33) ** 2 < 1
    body = (x / 0.48) ** 2 + (y / 0.42) ** 2 < 1
    vessels = gaussian_filter(rng.normal(size=(slices, SIDE, SIDE)), (0, 1.5, 1.5)) > 0.2
    image = 0.85 * body - 0.6 * lung + 0.3 * (vessels & lung) - 0.1 * (vessels & ~lung & body)
    return np.clip(gaussian_filter(image, (0, 0.6, 0.6)) + rng.normal(0, 0.01, image.shape), 0, 1)


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(np.uint8(np.rint(255 * image))).save(file, 'JPEG', quality=75)
    return np.asarray(Image.open(file)) / 255


COPIES = {
    're-saved': lambda image: np.rint(image * 200) / 200,
    're-windowed': lambda image: np.clip((image - 0.1) / 0.8, 0, 1),
    'brightened': lambda image: image**0.6,
    'shifted': lambda image: np.roll(image, (1, -1), (1, 2)),
    'JPEG': lambda image: np.stack([jpeg(one) for one in image]),
}


def moved(turn=0.0, zoom=1.0, shift=(0, 0)):
    """A function that turns (degrees), zooms and moves (pixels) slices."""

    def move(image):
        matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), turn, zoom)
        matrix[:, 2] += shift
        how = dict(flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.stack([cv2.warpAffine(one, matrix, (SIDE, SIDE), **how) for one in image])

    return move


MOVED = {
    'moved': moved(shift=(3, -3)),
    'turned': moved(turn=3),
    'zoomed in': moved(zoom=1.05),
    'zoomed out': moved(zoom=0.95),
    'cropped': lambda image: np.stack([cv2.resize(one[5:-5, 5:-5], (SIDE, SIDE)) for one in image]),
    'mirrored': lambda image: image[..., ::-1],
    'upside down': lambda image: image[:, ::-1],
    'mirrored and turned': lambda image: moved(turn=-3, shift=(2, 0))(image[..., ::-1]),
    'zoomed by a tenth': moved(zoom=1.1),
    'turned by a quarter': lambda image: np.rot90(image, 1, (1, 2)),
    'turned by half': lambda image: image[:, ::-1, ::-1],
    'transposed': lambda image: image.transpose(0, 2, 1),
    'a quarter and moved': lambda image: moved(zoom=1.03, shift=(2, 1))(np.rot90(image, 3, (1, 2))),
}


def framed(image, *margins):
    """Slices in a black frame (rows before and after, columns before and after), SIDE x SIDE."""
    before, after, left, right = margins
    return np.stack(
        [
            np.pad(cv2.resize(one, (SIDE - left - right, SIDE - before - after)),
                   ((before, after), (left, right)))
            for one in image
        ]
    )  # fmt: skip


FRAMES = [(8, 8, 8, 8), (16, 0, 16, 0), (0, 12, 6, 6), (15, 15, 15, 15)]


def store_of(root, images, kind='volumes', **details):
    """One case and patient per image, 'case0' and so on."""
    writer = StoreWriter(root, (SIDE, SIDE), 'display', {'kind': kind})
    for number, image in enumerate(images):
        who = dict(name=f'case{number}', patient=f'p{number}', site='s')
        who |= {key: values[number] for key, values in details.items()}
        writer.add_case(StoreCase(**who, image=255 * image))
    writer.close()
    return SliceStore(root)


def leaks_of(store, *roles):
    """The leaks when case n has the n-th role."""
    codes = {'labelled': 1, 'unlabelled': 2, 'val': 3, 'test': 4, 'none': 0}
    of_case = np.array([codes[role] for role in roles])
    return find_leaks(store, of_case[store.index['case']], fingerprints(store))


def test_patients_of_the_same_build_are_no_leak(tmp_path):
    store = store_of(tmp_path, [chest(seed) for seed in range(8)])
    assert leaks_of(store, *['labelled', 'test', 'val', 'unlabelled'] * 2) == []


@pytest.mark.parametrize('copy', COPIES)
@pytest.mark.parametrize('other', ['test', 'val'])
def test_a_copied_slice_is_a_leak_and_named(tmp_path, copy, other):
    own, stranger = chest(0), chest(1)
    mixed = np.stack([stranger[0], COPIES[copy](own)[1]])
    found = leaks_of(store_of(tmp_path, [own, mixed]), 'unlabelled', other)
    assert [leak['what'] for leak in found] == ['slices']
    assert found[0]['cases'] == ['case1', 'case0'] and found[0]['parts'] == [other, 'training']
    assert found[0]['count'] == 1 and found[0]['nearest'] == [1, 1]


@pytest.mark.parametrize('change', MOVED.values(), ids=MOVED)
def test_a_moved_mirrored_turned_zoomed_or_cropped_copy_is_a_leak(tmp_path, change):
    own, stranger = chest(0), chest(1)
    mixed = np.stack([stranger[0], change(own)[1]])
    (leak,) = leaks_of(store_of(tmp_path, [own, mixed]), 'unlabelled', 'test')
    assert leak['what'] == 'slices' and leak['count'] == 1 and leak['nearest'] == [1, 1]


@pytest.mark.parametrize('frame', FRAMES, ids=str)
def test_a_copy_in_a_black_frame_is_a_leak(tmp_path, frame):
    own, stranger = chest(0) + 0.05, chest(1) + 0.05  # the air around a body is seldom black
    mixed = np.stack([stranger[0], framed(own, *frame)[1]])
    (leak,) = leaks_of(store_of(tmp_path, [own, mixed]), 'unlabelled', 'test')
    assert leak['what'] == 'slices' and leak['count'] == 1 and leak['nearest'] == [1, 1]


def test_patients_in_the_same_frame_are_no_leak(tmp_path):
    store = store_of(tmp_path, [framed(chest(seed) + 0.05, 8, 8, 8, 8) for seed in range(4)])
    assert leaks_of(store, *['labelled', 'test'] * 2) == []


def test_a_frame_is_taken_off_and_what_is_left_is_stretched():
    one = np.float32(np.random.default_rng(0).uniform(0.2, 1, (SIDE, SIDE)))
    inside = np.zeros((SIDE, SIDE), np.float32)
    inside[24:72, 24:72] = one[:48, :48]
    assert np.array_equal(without_frame(inside), cv2.resize(one[:48, :48], (SIDE, SIDE)))
    assert np.array_equal(without_frame(one), one)
    assert not without_frame(np.zeros((SIDE, SIDE))).any()


def test_the_eight_poses_are_all_ways_to_lay_a_square():
    square = np.arange(9).reshape(3, 3)
    assert len({pose(square).tobytes() for pose in POSES}) == 8


def moved_similarity(first, second):
    """Correlation of the best of the poses of the first slice, laid on the second."""
    first, second = np.float32(first), np.float32(second)
    small = small_picture(second)
    return max(
        correlation_once_laid_on(one, second, small_picture(one), small)
        for one in (pose(first) for pose in POSES)
    )


@pytest.mark.parametrize('change', MOVED.values(), ids=MOVED)
def test_only_a_copy_is_similar_after_it_is_laid_on_the_other(change):
    own, stranger = chest(0), chest(1)
    assert moved_similarity(change(own)[0], own[0]) > MIN_MOVED_CORRELATION
    assert moved_similarity(change(own)[0], stranger[0]) < MIN_MOVED_CORRELATION - 0.1


def test_a_moved_copy_is_found_among_slices_of_its_patient_that_are_nearly_alike(tmp_path):
    """As in a stack of thin slices. The nearest by fingerprint need not be the copied one."""
    first, last = chest(0, 1), chest(1, 1)
    stack = np.concatenate([first + (last - first) * share / 40 for share in range(20)])
    copy = moved(zoom=1.03, shift=(2, 1))(stack[9:10])
    (leak,) = leaks_of(store_of(tmp_path, [stack, copy]), 'labelled', 'test')
    assert leak['what'] == 'slices' and abs(leak['nearest'][1] - 9) <= 1


def test_a_copy_between_val_and_test_is_a_leak(tmp_path):
    found = leaks_of(store_of(tmp_path, [chest(0), chest(0)]), 'test', 'val')
    assert found[0]['parts'] == ['test', 'val'] and found[0]['count'] == 2


@pytest.mark.parametrize('roles', [('labelled', 'unlabelled'), ('test', 'test'), ('none', 'test')])
def test_a_copy_inside_one_part_is_none(tmp_path, roles):
    assert leaks_of(store_of(tmp_path, [chest(0), chest(0)]), *roles) == []


def test_slices_without_contrast_are_alike_and_no_leak(tmp_path):
    cases = [np.concatenate([chest(seed, 1), np.zeros((3, SIDE, SIDE))]) for seed in range(2)]
    assert leaks_of(store_of(tmp_path, cases), 'labelled', 'test') == []


def test_the_same_file_is_a_leak(tmp_path):
    store = store_of(tmp_path, [chest(0), chest(1)], sha256=[['aa', 'm0'], ['aa', 'm1']])
    found = leaks_of(store, 'labelled', 'test')
    assert [leak['what'] for leak in found] == ['file']
    assert leak_text(found[0]) == 'case case1 (test) and case case0 (training): the same file'


def test_one_of_many_image_files_is_enough(tmp_path):
    hashes = [['i0', 'm0', 'i1', 'm1'], ['i2', 'm2', 'i1', 'm3']]
    masks = [np.ones((2, SIDE, SIDE))] * 2
    store = store_of(tmp_path, [chest(0), chest(1)], 'images', sha256=hashes, lung=masks)
    assert [leak['what'] for leak in leaks_of(store, 'val', 'test')] == ['file']


@pytest.mark.parametrize('count', [0, 1, 2, 3])
def test_of_image_files_with_any_number_of_masks_only_the_images_are_compared(tmp_path, count):
    columns = ('lung', 'infection', 'cause')[:count]
    masks = dict.fromkeys(columns, [np.zeros((4, SIDE, SIDE))] * 2)
    alike = ['mm'] * count  # every row names the same mask files
    hashes = [[h for i in numbers for h in (f'i{i}', *alike)] for numbers in ('0123', '4567')]
    images = [chest(seed, 4) for seed in (0, 1)]
    store = store_of(tmp_path / 'own', images, 'images', sha256=hashes, **masks)
    assert leaks_of(store, 'labelled', 'test') == []
    for place in range(4):
        copied = [hashes[0], hashes[1].copy()]
        copied[1][place * (1 + count)] = f'i{place}'
        store = store_of(tmp_path / str(place), images, 'images', sha256=copied, **masks)
        assert [leak['what'] for leak in leaks_of(store, 'labelled', 'test')] == ['file']


@pytest.mark.parametrize('kind', ['volumes', 'images'])
def test_two_patients_with_the_same_empty_mask_file_are_no_leak(tmp_path, kind):
    masks = [np.zeros((2, SIDE, SIDE))] * 2
    hashes = [['i0', 'mm', 'i1', 'mm'], ['i2', 'mm', 'i3', 'mm']]
    store = store_of(tmp_path, [chest(0), chest(1)], kind, sha256=hashes, infection=masks)
    assert leaks_of(store, 'labelled', 'test') == []


def test_a_patient_in_two_parts_is_a_leak(tmp_path):
    store = store_of(tmp_path, [chest(0), chest(1)], patient=['same', 'same'])
    assert [leak['what'] for leak in leaks_of(store, 'labelled', 'test')] == ['patient']


def similarity(first, second):
    return correlation(texture(np.float32(first)), texture(np.float32(second)))


@pytest.mark.parametrize('shift', [(0, 0), (2, -1), (-2, 2)])
def test_similarity_is_the_best_normalised_correlation_over_two_pixels(shift):
    one = chest(0)[0]
    other = np.roll(0.7 * one + 0.3 * chest(1)[0], shift, (0, 1))
    textures = [texture(np.float32(image)) for image in (one, other)]
    oracle = match_template(textures[1], textures[0][2:-2, 2:-2]).max()
    assert 0.5 < similarity(one, other) == pytest.approx(oracle, abs=0.03)


def test_a_slice_is_wholly_similar_to_itself_and_not_at_all_to_nothing():
    one = chest(0)[0]
    assert similarity(one, one) == pytest.approx(1, abs=1e-5)
    assert similarity(one, np.zeros_like(one)) == 0


@pytest.fixture
def copied(tmp_path):
    store = store_of(tmp_path / 'store', [chest(0), COPIES['JPEG'](chest(0)), chest(2)])
    patients = {'labelled': ['p0'], 'test': ['p1'], 'val': ['p2']}
    write_split(store, 'default', patients, parameters={'a': 1})
    return store


def test_the_record_tells_unchecked_from_clean_and_leaking(copied):
    assert known_leaks(copied, 'default') is None
    found = check_split(copied, 'default', fingerprints(copied))
    assert len(found) == 1 and known_leaks(copied, 'default') == found
    record = json.loads((copied.root / 'splits' / 'default.json').read_text())
    assert record['parameters'] == {'a': 1} and record['patients']['test'] == ['p1']
    write_split(copied, 'default', {'labelled': ['p0', 'p1'], 'val': ['p2']})
    assert known_leaks(copied, 'default') is None
    assert check_split(copied, 'default', fingerprints(copied)) == known_leaks(copied, 'default')
    assert known_leaks(copied, 'default') == []


def test_a_damaged_record_names_the_file(copied):
    (copied.root / 'splits' / 'default.json').write_text('{')
    with pytest.raises(StoreError, match=r'default\.json'):
        known_leaks(copied, 'default')


def test_a_split_that_is_not_there_cannot_be_checked(copied):
    with pytest.raises(StoreError, match="no split 'other'"):
        check_split(copied, 'other', fingerprints(copied))
