'use strict';
const body = document.querySelector('#cases tbody'), heads = [...document.querySelectorAll('#cases th')];

function value(row, column) {
  const text = row.cells[column].textContent.trim(), number = parseFloat(text);
  return heads[column].classList.contains('number') ? (isNaN(number) ? -Infinity : number) : text;
}

heads.forEach((head, column) => head.querySelector('button').addEventListener('click', () => {
  const up = head.getAttribute('aria-sort') !== 'ascending';
  heads.forEach(other => other.removeAttribute('aria-sort'));
  head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [value(a, column), value(b, column)];
    return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
  });
  body.append(...rows);
}));

const filters = [...document.querySelectorAll('[data-flag]')];
filters.forEach(button => button.addEventListener('click', () => {
  filters.forEach(other => other.setAttribute('aria-pressed', other === button));
  for (const row of body.rows) {
    row.hidden = Boolean(button.dataset.flag) && !row.dataset.flags.split('|').includes(button.dataset.flag);
  }
}));
