/** `a * b + c` rounded once, or as good as: the errors of the product and of the sum are added back. */
export function fma64(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const ah = high(a);
  const bh = high(b);
  const al = a - ah;
  const bl = b - bh;
  const productError = al * bl - (product - ah * bh - al * bh - ah * bl);
  const part = sum - product;
  const sumError = product - (sum - part) + (c - part);
  const result = sum + (sumError + productError);
  return Number.isFinite(result) ? result : sum;
}

// The upper 26 bits (Veltkamp).
function high(x: number): number {
  const scaled = x * 134217729;
  return scaled - (scaled - x);
}
