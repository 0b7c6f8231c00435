'use strict';
const view = document.getElementById('view'), pen = view.getContext('2d');
const scratch = document.createElement('canvas');
scratch.width = view.width; scratch.height = view.height;
const reader = scratch.getContext('2d', { willReadFrequently: true });
const slider = document.getElementById('slice'), windows = document.getElementById('window');
const opacity = document.getElementById('opacity');
const boxes = [...document.querySelectorAll('.layers input')];
let asked = 0;

function pixels(png) {
  return new Promise((done, failed) => {
    const image = new Image();
    image.onload = () => {
      reader.drawImage(image, 0, 0);
      done(reader.getImageData(0, 0, scratch.width, scratch.height).data);
    };
    image.onerror = failed;
    image.src = 'data:image/png;base64,' + png;
  });
}

async function draw() {
  const turn = ++asked, at = Number(slider.value), slice = DATA.slices[at];
  const [low, high] = windows.value.split(',').map(Number), alpha = opacity.value / 100;
  const base = await pixels(slice.ct), shown = [];
  for (const box of boxes) {
    const layer = DATA.layers.find(l => l.name === box.value);
    if (box.checked && slice[layer.name]) shown.push([layer.rgb, await pixels(slice[layer.name])]);
  }
  if (turn !== asked) return;
  const out = pen.createImageData(view.width, view.height), span = DATA.hu[1] - DATA.hu[0];
  for (let i = 0; i < out.data.length; i += 4) {
    const hu = DATA.hu[0] + base[i] / 255 * span;
    const grey = 255 * Math.min(Math.max((hu - low) / (high - low), 0), 1);
    let rgb = [grey, grey, grey];
    for (const [colour, map] of shown) {
      const share = alpha * map[i] / 255;
      rgb = rgb.map((value, c) => value * (1 - share) + colour[c] * share);
    }
    out.data.set([...rgb, 255], i);
  }
  pen.putImageData(out, 0, 0);
  const scores = Object.entries(slice.scores).map(([name, s]) => `${name} ${(100 * s).toFixed(0)} %`);
  document.getElementById('number').textContent = slice.source;
  document.getElementById('percent').textContent = opacity.value + ' %';
  document.getElementById('where').textContent =
    `Slice ${slice.source} of the scan: ${scores.join(', ')}; ${slice.infected} % of its lung marked`
    + (slice.saliency ? '' : '; no saliency was made for it');
  view.dataset.drawn = at;
}

function step(by) {
  slider.value = Number(slider.value) + by;
  draw();
}

slider.addEventListener('input', draw);
windows.addEventListener('change', draw);
opacity.addEventListener('input', draw);
boxes.forEach(box => box.addEventListener('change', draw));
document.querySelectorAll('[data-slice]').forEach(button => button.addEventListener('click', () => {
  slider.value = button.dataset.slice;
  draw();
}));
document.addEventListener('keydown', event => {
  const typing = ['SELECT', 'INPUT'].includes(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (!typing && ['ArrowUp', 'ArrowRight'].includes(event.key)) step(1);
  else if (!typing && ['ArrowDown', 'ArrowLeft'].includes(event.key)) step(-1);
  else if (event.key >= '1' && event.key <= String(boxes.length)) boxes[event.key - 1].click();
  else if (event.key === 'w') {
    windows.selectedIndex = (windows.selectedIndex + 1) % windows.length;
    draw();
  } else return;
  event.preventDefault();
});
draw();
