'use strict';
// Arrays over z go from foot to head. A slice has the number Z - z: counted from the head, from 1.
const DATA = JSON.parse(document.getElementById('data').textContent);
const [Z, H, W] = DATA.shape, [MM_Z, MM_Y, MM_X] = DATA.spacing, MASK = DATA.mask_values;
const byId = id => document.getElementById(id);
const scan = new Uint8Array(Z * H * W), masks = new Uint8Array(Z * H * W);
const loaded = new Uint8Array(Z);
const maps = Object.fromEntries(DATA.maps.map(map => [map.name, { ...map, values: [] }]));
const STOPS = [[0, [40, 0, 90]], [0.35, [150, 20, 110]], [0.7, [250, 130, 20]], [1, [255, 255, 130]]];
const COLOURS = Array.from({ length: 256 }, (_, v) => [...colour(v / 255), v]);
const RED = [235, 40, 40];
const state = { z: DATA.first, y: DATA.row, low: -1350, high: 150 };

function between(points, at) {
  const next = Math.max(points.findIndex(([x]) => x >= at), 1);
  const [[a, from], [b, to]] = [points[next - 1], points[next]];
  return from + (to - from) * (at - a) / (b - a);
}

function colour(share) {
  return [0, 1, 2].map(c => between(STOPS.map(([at, rgb]) => [at, rgb[c]]), share));
}

function hu(grey) { return between(DATA.knots.map(([value, at]) => [at, value]), grey); }

function surface(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width; canvas.height = height;
  return canvas;
}

function paint(canvas, rgba) {
  canvas.getContext('2d').putImageData(new ImageData(rgba, canvas.width, canvas.height), 0, 0);
}

async function pixels(text, type) {
  const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type }));
  const pen = surface(image.width, image.height).getContext('2d', { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  const rgba = pen.getImageData(0, 0, image.width, image.height).data;
  const grey = new Uint8Array(image.width * image.height);
  for (let i = 0; i < grey.length; i++) grey[i] = rgba[4 * i];
  return { width: image.width, height: image.height, grey };
}

// A view shows a plane of width x height pixels, mm of which are given, and what lies on it.
class View {
  constructor(id, width, height, mmX, mmY) {
    this.canvas = byId(id); this.pane = this.canvas.parentElement;
    Object.assign(this, { width, height, mmX, mmY });
    this.base = surface(width, height); this.over = surface(width, height);
    this.canvas.style.aspectRatio = `${width * mmX} / ${height * mmY}`;
    this.reset();
  }

  reset() { this.zoom = 1; this.middle = [this.width / 2, this.height / 2]; }

  // Screen pixels of a pixel of the plane, across and down.
  get scale() {
    const box = this.canvas.getBoundingClientRect();
    const fit = Math.min(box.width / (this.width * this.mmX), box.height / (this.height * this.mmY));
    return [fit * this.zoom * this.mmX, fit * this.zoom * this.mmY];
  }

  // Place in the plane under a place on the screen.
  at(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect(), [sx, sy] = this.scale;
    return [(clientX - box.left - box.width / 2) / sx + this.middle[0],
      (clientY - box.top - box.height / 2) / sy + this.middle[1]];
  }

  zoomBy(factor, clientX, clientY) {
    const before = this.at(clientX, clientY);
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), 16);
    if (this.zoom === 1) return this.reset();
    const after = this.at(clientX, clientY);
    this.pan(before[0] - after[0], before[1] - after[1]);
  }

  pan(dx, dy) {
    this.middle = [Math.min(Math.max(this.middle[0] + dx, 0), this.width),
      Math.min(Math.max(this.middle[1] + dy, 0), this.height)];
  }

  show(line) {
    const box = this.canvas.getBoundingClientRect(), dpr = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(box.width * dpr); this.canvas.height = Math.round(box.height * dpr);
    const pen = this.canvas.getContext('2d'), [sx, sy] = this.scale;
    pen.setTransform(sx * dpr, 0, 0, sy * dpr, this.canvas.width / 2 - this.middle[0] * sx * dpr,
      this.canvas.height / 2 - this.middle[1] * sy * dpr);
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(this.base, 0, 0);
    pen.globalAlpha = byId('opacity').value / 100;
    pen.drawImage(this.over, 0, 0);
    pen.globalAlpha = 0.5; pen.fillStyle = '#7fb8ff';
    pen.fillRect(0, line, this.width, 1 / (sy * dpr));
    this.scaleBar(sx / this.mmX);
  }

  scaleBar(perMm) {
    const mm = [200, 100, 50, 20, 10, 5, 2, 1].find(mm => mm * perMm < this.canvas.clientWidth / 4) || 1;
    const bar = this.pane.querySelector('.scale');
    bar.style.width = `${mm * perMm}px`; bar.dataset.mm = mm;
    bar.textContent = mm < 10 ? `${mm} mm` : `${mm / 10} cm`;
  }
}

// The coronal view has square pixels: grey values between two slices are interpolated, masks are not.
const ROWS = Math.max(Math.round(Z * MM_Z / MM_X), Z);
const axial = new View('axial', W, H, MM_X, MM_Y), coronal = new View('coronal', W, ROWS, MM_X, MM_Z * Z / ROWS);
const mapPlane = surface(1, 1), inside = surface(W, H), insideCoronal = surface(W, ROWS);

function sliceOfRow(row) { return Z - 1 - Math.min(Math.max(Math.floor(row * Z / ROWS), 0), Z - 1); }

function coronalVoxel(z, column) { return (z * H + state.y) * W + column; }

function coronalGrey(row, column) {
  const height = Math.min(Math.max(Z - 0.5 - (row + 0.5) * Z / ROWS, 0), Z - 1), below = Math.floor(height);
  const [a, b] = [below, Math.min(below + 1, Z - 1)].map(z => scan[coronalVoxel(z, column)]);
  return Math.round(a + (b - a) * (height - below));
}

function chosenMap() { return document.querySelector('input[name=map]:checked').value; }

// Grey values, infection and lung of a plane whose pixel (row, column) is the voxel index(row, column).
function fill(view, lungs, index, greyAt = (row, column) => scan[index(row, column)]) {
  const table = Array.from({ length: 256 }, (_, grey) =>
    255 * Math.min(Math.max((hu(grey) - state.low) / (state.high - state.low), 0), 1));
  const count = view.width * view.height, lesions = byId('infection').checked;
  const [base, over, lung] = [0, 0, 0].map(() => new Uint8ClampedArray(4 * count));
  const infected = (row, column) => row >= 0 && row < view.height && column >= 0
    && column < view.width && masks[index(row, column)] >= MASK.infection - 20;
  for (let row = 0, i = 0; row < view.height; row++) for (let column = 0; column < view.width; column++, i += 4) {
    const voxel = index(row, column), grey = table[greyAt(row, column)];
    base[i] = base[i + 1] = base[i + 2] = grey; base[i + 3] = 255;
    if (masks[voxel] >= MASK.lung - 20) lung[i + 3] = 255;
    if (!lesions || !infected(row, column)) continue;
    const edge = !(infected(row - 1, column) && infected(row + 1, column)
      && infected(row, column - 1) && infected(row, column + 1));
    [over[i], over[i + 1], over[i + 2]] = RED; over[i + 3] = edge ? 255 : 90;
  }
  paint(view.base, base); paint(lungs, lung); paint(view.over, over);
}

// Draw a map, RGBA of its own pixels, under the infection, where lung is.
function addMap(view, lungs, rgba, width, height, box) {
  mapPlane.width = width; mapPlane.height = height;
  paint(mapPlane, rgba);
  const sheet = surface(view.width, view.height), pen = sheet.getContext('2d');
  pen.drawImage(mapPlane, ...box);
  pen.globalCompositeOperation = 'destination-in';
  pen.drawImage(lungs, 0, 0);
  const over = view.over.getContext('2d');
  over.globalCompositeOperation = 'destination-over';
  over.drawImage(sheet, 0, 0);
  over.globalCompositeOperation = 'source-over';
}

async function mapValues(name, plane) {
  const map = maps[name];
  if (!map || plane < 0 || !map.planes[plane]) return null;
  return map.values[plane] ||= await pixels(map.planes[plane], 'image/jpeg');
}

let turn = 0;
async function drawAxial() {
  const mine = ++turn, { z } = state, map = await mapValues(chosenMap(), DATA.plane[z]);
  if (mine !== turn) return;
  fill(axial, inside, (row, column) => (z * H + row) * W + column);
  if (map) {
    const rgba = new Uint8ClampedArray(4 * map.grey.length);
    map.grey.forEach((value, i) => rgba.set(COLOURS[value], 4 * i));
    addMap(axial, inside, rgba, map.width, map.height, DATA.box);
  }
  axial.show(state.y);
  tell(map);
  drawBar();
  axial.canvas.dataset.drawn = loaded[z] ? Z - z : '';
}

let turnCoronal = 0;
async function drawCoronal() {
  const mine = ++turnCoronal, name = chosenMap(), { y } = state, [, top, , height] = DATA.box;
  const planes = await Promise.all(DATA.plane.map(plane => mapValues(name, plane)));
  if (mine !== turnCoronal) return;
  fill(coronal, insideCoronal, (row, column) => coronalVoxel(sliceOfRow(row), column), coronalGrey);
  const some = planes.find(Boolean);
  if (some) {
    const at = Math.floor((y + 0.5 - top) / height * some.height), wide = some.width;
    const rgba = new Uint8ClampedArray(4 * wide * Z);
    planes.forEach((plane, z) => {
      if (!plane || at < 0 || at >= some.height) return;
      for (let x = 0; x < wide; x++) rgba.set(COLOURS[plane.grey[at * wide + x]], 4 * ((Z - 1 - z) * wide + x));
    });
    addMap(coronal, insideCoronal, rgba, wide, Z, [DATA.box[0], 0, DATA.box[2], ROWS]);
  }
  coronal.show((Z - state.z - 0.5) * ROWS / Z);
  coronal.canvas.dataset.drawn = y;
}

function percent(share) { return `${(100 * share).toFixed(0)} %`; }

function best(scores) { return scores.indexOf(Math.max(...scores)); }

function tell(map) {
  const { z } = state, plane = DATA.plane[z], name = chosenMap();
  byId('slice').value = Z - z;
  byId('number').textContent = `${Z - z} / ${Z}`;
  byId('percent').textContent = `${byId('opacity').value} %`;
  byId('where').textContent = `slice ${Z - z} of ${Z}\nz ${DATA.mm[z]} mm${loaded[z] ? '' : '\nloading'}`;
  byId('level').textContent = `W ${Math.round(state.high - state.low)}\nL ${Math.round((state.high + state.low) / 2)}`;
  let text = `Slice ${Z - z}, ${DATA.cm2[z]} cm² infected. `;
  if (plane < 0) text += 'It shows too little lung: the model did not see it, and it has no maps.';
  else {
    text += `The model: ${DATA.classes.map((c, k) => `${c.name} ${percent(DATA.scores[plane][k])}`).join(', ')}.`;
    if (name !== 'none' && !map) text += ` There is no ${maps[name].title} of this slice.`;
  }
  byId('said').textContent = text;
}

// Class and infected area of every slice, head at the top.
function drawBar() {
  const canvas = byId('bar'), dpr = window.devicePixelRatio || 1;
  const wide = canvas.clientWidth, high = canvas.clientHeight, most = Math.max(...DATA.cm2, 1e-9);
  canvas.width = wide * dpr; canvas.height = high * dpr;
  const pen = canvas.getContext('2d');
  pen.scale(dpr, dpr);
  for (let z = 0; z < Z; z++) {
    const top = (Z - 1 - z) / Z * high, plane = DATA.plane[z];
    if (plane >= 0) {
      pen.fillStyle = `rgb(${DATA.classes[best(DATA.scores[plane])].rgb})`;
      pen.fillRect(8, top, 10, high / Z + 0.5);
    }
    pen.fillStyle = `rgb(${RED})`;
    pen.fillRect(22, top, DATA.cm2[z] / most * (wide - 26), high / Z + 0.5);
  }
  pen.fillStyle = '#fff';
  const at = (Z - state.z - 0.5) / Z * high;
  pen.fillRect(0, at - 1, wide, 2);
}

function draw() { drawAxial(); drawCoronal(); }

function goTo(z, y = state.y) {
  state.z = Math.min(Math.max(Math.round(z), 0), Z - 1);
  state.y = Math.min(Math.max(Math.floor(y), 0), H - 1);
  draw();
}

function setWindow(low, high) {
  Object.assign(state, { low, high: Math.max(high, low + 10) });
  const value = `${low},${high}`, known = [...byId('window').options].some(o => o.value === value);
  byId('window').value = known ? value : '';
  draw();
}

function nextWindow() {
  const values = [...byId('window').options].map(option => option.value).filter(Boolean);
  setWindow(...values[(values.indexOf(byId('window').value) + 1) % values.length].split(',').map(Number));
}

// Wheel, mouse and touch on a view; step changes its plane by one, click goes to a place in it.
function handle(view, step, click) {
  const pointers = new Map();
  let moved = 0, spread = 0, rest = 0;
  const gap = () => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  view.canvas.addEventListener('wheel', event => {
    event.preventDefault();
    if (event.ctrlKey) { view.zoomBy(Math.exp(-event.deltaY / 300), event.clientX, event.clientY); return draw(); }
    rest += event.deltaMode ? event.deltaY * 40 : event.deltaY;
    const steps = Math.trunc(rest / 40);
    if (steps) { rest = 0; step(Math.sign(steps) * Math.min(Math.abs(steps), event.shiftKey ? 10 : 1)); }
  }, { passive: false });
  view.canvas.addEventListener('contextmenu', event => event.preventDefault());
  view.canvas.addEventListener('dblclick', () => { view.reset(); draw(); });
  view.canvas.addEventListener('pointerdown', event => {
    view.canvas.focus({ preventScroll: true });
    view.canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    moved = pointers.size > 1 ? Infinity : 0; rest = 0;
    if (pointers.size === 2) spread = gap();
  });
  view.canvas.addEventListener('pointermove', event => {
    const from = pointers.get(event.pointerId);
    if (!from) return readOut(view, event);
    const dx = event.clientX - from.x, dy = event.clientY - from.y, [sx, sy] = view.scale;
    moved += Math.abs(dx) + Math.abs(dy);
    from.x = event.clientX; from.y = event.clientY;
    if (pointers.size === 2) {
      view.zoomBy(gap() / spread, event.clientX, event.clientY);
      spread = gap();
      view.pan(-dx / 2 / sx, -dy / 2 / sy);
    } else if (event.pointerType === 'touch') {
      rest += dy;
      if (Math.abs(rest) > 8) { step(Math.sign(rest)); rest = 0; }
      return;
    } else if (event.shiftKey || event.buttons !== 1) view.pan(-dx / sx, -dy / sy);
    else if (moved > 4) {
      const width = Math.max(state.high - state.low + 3 * dx, 10), level = (state.high + state.low) / 2 + 2 * dy;
      return setWindow(level - width / 2, level + width / 2);
    }
    draw();
  });
  for (const end of ['pointerup', 'pointercancel']) view.canvas.addEventListener(end, event => {
    pointers.delete(event.pointerId);
    if (end === 'pointerup' && moved <= 4 && event.button === 0) click(...view.at(event.clientX, event.clientY));
  });
}

// HU and kind of the pixel under the mouse.
function readOut(view, event) {
  const [x, row] = view.at(event.clientX, event.clientY).map(Math.floor);
  if (x < 0 || x >= W || row < 0 || row >= view.height) return;
  const voxel = view === axial ? (state.z * H + row) * W + x : coronalVoxel(sliceOfRow(row), x);
  const kind = masks[voxel] >= MASK.infection - 20 ? ', infection' : masks[voxel] >= MASK.lung - 20 ? ', lung' : '';
  byId('level').textContent = `W ${Math.round(state.high - state.low)}\nL ${Math.round((state.high + state.low) / 2)}\n`
    + `about ${Math.round(hu(scan[voxel]) / 5) * 5} HU${kind}`;
}

handle(axial, by => goTo(state.z - by), (x, y) => goTo(state.z, y));
handle(coronal, by => goTo(state.z, state.y + by), (x, row) => goTo(sliceOfRow(row)));
const bar = byId('bar');
for (const kind of ['pointerdown', 'pointermove']) bar.addEventListener(kind, event => {
  if (event.buttons) goTo(Z - 1 - Math.floor((event.clientY - bar.getBoundingClientRect().top) / bar.clientHeight * Z));
});
byId('slice').addEventListener('input', () => goTo(Z - byId('slice').value));
byId('window').addEventListener('change', () => setWindow(...byId('window').value.split(',').map(Number)));
byId('opacity').addEventListener('input', draw);
byId('infection').addEventListener('change', draw);
byId('reset').addEventListener('click', () => { axial.reset(); coronal.reset(); draw(); });
document.querySelectorAll('input[name=map]').forEach(input => input.addEventListener('change', draw));
document.querySelectorAll('[data-slice]').forEach(button => button.addEventListener('click', () => {
  if (button.dataset.map) document.querySelector(`input[value=${button.dataset.map}]`).checked = true;
  goTo(Number(button.dataset.slice));
  byId('viewer').scrollIntoView({ block: 'nearest' });
}));
new ResizeObserver(draw).observe(axial.pane);

const KEYS = {
  ArrowDown: () => goTo(state.z - 1), ArrowRight: () => goTo(state.z - 1),
  ArrowUp: () => goTo(state.z + 1), ArrowLeft: () => goTo(state.z + 1),
  PageDown: () => goTo(state.z - 10), PageUp: () => goTo(state.z + 10),
  Home: () => goTo(Z - 1), End: () => goTo(0),
  w: nextWindow, i: () => byId('infection').click(), 0: () => byId('reset').click(),
  m: () => {
    const inputs = [...document.querySelectorAll('input[name=map]')];
    inputs[(inputs.findIndex(input => input.checked) + 1) % inputs.length].click();
  },
  '+': () => zoomMiddle(1.25), '-': () => zoomMiddle(0.8),
};

function zoomMiddle(factor) {
  const box = axial.canvas.getBoundingClientRect();
  axial.zoomBy(factor, box.left + box.width / 2, box.top + box.height / 2);
  draw();
}

document.addEventListener('keydown', event => {
  const inField = event.target.tagName === 'SELECT' || ['range', 'radio'].includes(event.target.type);
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  if (inField && event.target.id !== 'slice' && event.key.length > 1) return;
  KEYS[event.key]();
  event.preventDefault();
});

async function load() {
  const order = [...Array(Z).keys()].sort((a, b) => Math.abs(a - state.z) - Math.abs(b - state.z));
  for (const [done, z] of order.entries()) {
    if (DATA.ct[z]) scan.set((await pixels(DATA.ct[z], 'image/jpeg')).grey, z * H * W);
    if (DATA.masks[z]) masks.set((await pixels(DATA.masks[z], 'image/png')).grey, z * H * W);
    loaded[z] = 1;
    if (z === state.z) drawAxial();
    if (done % 16 === 15) drawCoronal();
  }
  draw();
  document.body.dataset.loaded = Z;
}

function paintColours() {
  const strip = byId('colours'), pen = strip.getContext('2d');
  for (let v = 0; v < strip.width; v++) {
    const [r, g, b, a] = COLOURS[Math.round(v / (strip.width - 1) * 255)];
    pen.fillStyle = `rgba(${r}, ${g}, ${b}, ${a / 255})`;
    pen.fillRect(v, 0, 1, strip.height);
  }
}

paintColours();
setWindow(...byId('window').value.split(',').map(Number));
load();
