// The difference between two texts, word by word (longest common subsequence).

// More words than this are compared line by line, so that typing stays quick.
const MOST = 1200;

const parts = (text, by) => text.match(by) ?? [];

// [[kind, text]] with kind "same", "del" or "ins".
export function difference(before, after) {
  let by = /\s+|[^\s]+/g;
  if (parts(before, by).length * parts(after, by).length > MOST * MOST) by = /[^\n]*\n?/g;
  const a = parts(before, by);
  const b = parts(after, by);
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] = a[i] === b[j]
        ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const out = [];
  const push = (kind, text) => {
    if (out.at(-1)?.[0] === kind) out.at(-1)[1] += text;
    else out.push([kind, text]);
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) { push("same", a[i]); i++; j++; }
    else if (j >= b.length || (i < a.length && table[(i + 1) * width + j] >= table[i * width + j + 1])) push("del", a[i++]);
    else push("ins", b[j++]);
  }
  return out;
}
