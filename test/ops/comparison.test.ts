import { expect, test } from 'vitest';
import * as torch from 'cresset';

test('equal finds the only element that differs, wherever it stands', () => {
  for (const shape of [[3, 1365], [4096], [131071], [131072], [400, 500]]) {
    const a = torch.arange(shape.reduce((x, y) => x * y)).view(shape);
    const b = a.clone();
    expect(torch.equal(a, b)).toBe(true);
    const elements = b.view(-1);
    for (const at of [0, 1, 4094, 4095, 4096, 100000, a.numel() - 1]) {
      if (at >= a.numel()) continue;
      const element = elements.select(0, at);
      element.add_(1);
      expect(torch.equal(a, b), `[${shape.join()}] at ${at}`).toBe(false);
      if (shape.length === 2) expect(torch.equal(a.t(), b.t()), `[${shape.join()}] at ${at}, transposed`).toBe(false);
      element.sub_(1);
    }
    expect(torch.equal(a, b.to(torch.float64))).toBe(true);
    expect(torch.equal(a, a.mul(NaN))).toBe(false);
    expect(torch.equal(a, a.view(-1, 1))).toBe(false);
  }
});
