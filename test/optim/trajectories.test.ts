import { afterAll, describe, expect, test } from 'vitest';
import * as torch from 'cresset';
import { database, type AnyOptimizer, type Options, type Row } from './database.js';
import { changes, gradients, parameters, run, shapes, split, trajectories, type Case } from './trajectories.js';

// How far a value may be from PyTorch's after 36 steps: in units of the dtype's epsilon, and of the largest that its
// element has been. Every step rounds several times, and with fused multiply-adds elsewhere than PyTorch.
const bound = 12;

// The worst deviation of each optimizer, in these units; CRESSET_DEVIATIONS=1 prints them.
const worst: Record<string, { sets: number; float32: number; float64: number }> = {};
afterAll(() => {
  if (process.env.CRESSET_DEVIATIONS) console.table(worst);
});

type Named = Record<string, torch.Tensor>;
const elements = (t: torch.Tensor) => t.toTypedArray() as Float32Array | Float64Array;

/** An optimizer under way, and the largest absolute value of each element so far: by parameter, then by name. */
class Trajectory {
  readonly params: torch.Tensor[];
  readonly optimizer: AnyOptimizer;
  private readonly largest: Record<string, Float32Array | Float64Array>[] = [{}, {}, {}];

  constructor(
    private readonly of: Case,
    { make }: Row,
    options: Options,
    values?: number[][],
  ) {
    this.params = parameters(values, torch[of.dtype]);
    this.optimizer = make([{ params: this.params.slice(0, 2) }, { params: this.params.slice(2) }], options);
    this.optimizer.param_groups[1].lr /= 3;
    this.note();
  }

  run(first: number, last: number): void {
    const { param_groups } = this.optimizer;
    run(this.optimizer, this.params, first, last, {
      before: (step) => {
        for (const change of changes) if (change.step === step) param_groups[change.group].lr *= change.factor;
      },
      after: () => this.note(),
    });
  }

  private note(): void {
    this.params.forEach((param, i) => {
      const named: Named = { ...(this.optimizer.state.get(param) as Named), param };
      for (const [name, tensor] of Object.entries(named)) {
        const largest = (this.largest[i][name] ??= new Float64Array(tensor.numel()));
        elements(tensor).forEach((x, k) => (largest[k] = Math.max(Math.abs(x), largest[k])));
      }
    });
  }

  /** Expects a tensor of parameter `i` to have PyTorch's values. */
  expectClose(i: number, name: string, tensor: torch.Tensor, values: number[]): void {
    const { optimizer, dtype } = this.of;
    const expected = elements(torch.tensor(values, { dtype: tensor.dtype }));
    elements(tensor).forEach((x, k) => {
      const largest = Math.max(this.largest[i][name][k], Math.abs(expected[k]));
      const unit = largest * (tensor.dtype === torch.float32 ? 2 ** -23 : 2 ** -52);
      const deviation = x === expected[k] ? 0 : Math.abs(x - expected[k]) / unit;
      worst[optimizer][dtype] = Math.max(worst[optimizer][dtype], deviation);
      // No `expect` for each element: there are a quarter of a million.
      if (!(deviation <= bound)) {
        expect.fail(`${name}[${i}][${k}]: ${x} instead of ${expected[k]}: ${deviation.toFixed(1)} units`);
      }
    });
  }

  expectParams(expected: number[][]): void {
    this.params.forEach((param, i) => this.expectClose(i, 'param', param, expected[i]));
  }
}

describe.each(database.filter(({ name }) => trajectories.some((c) => c.optimizer === name)))('$name', (row) => {
  const cases = trajectories.filter((c) => c.optimizer === row.name);
  worst[row.name] = { sets: row.valid.length, float32: 0, float64: 0 };

  test('the golden file has every valid combination', () => {
    expect(cases.map((c) => c.options)).toEqual(row.valid.flatMap((options) => [options, options]));
  });

  test.each(cases)('follows PyTorch: $options $dtype', (c) => {
    const { dtype, options, state, groups } = c;
    const trajectory = new Trajectory(c, row, options);
    trajectory.run(0, split);
    trajectory.expectParams(c.middle);
    const dict = trajectory.optimizer.state_dict();
    expect(Object.keys(dict.state)).toEqual(Object.keys(state));
    for (const [id, own] of Object.entries(state)) {
      const i = Number(id);
      const ours = dict.state[i] as Named;
      expect(Object.keys(ours).sort()).toEqual(Object.keys(own).sort());
      for (const [name, expected] of Object.entries(own)) {
        trajectory.expectClose(i, name, ours[name], expected);
        const single = expected.length === 1;
        expect(ours[name].shape).toEqual(single ? [] : shapes[i]);
        expect(ours[name].dtype).toBe(single ? torch.float32 : torch[dtype]);
      }
    }
    if (groups) expect(dict.param_groups).toEqual(groups);
    trajectory.run(split, gradients.length);
    trajectory.expectParams(c.end);
  });

  test.each(cases.filter((c) => c.groups))("continues from PyTorch's state: $options", (c) => {
    const trajectory = new Trajectory(c, row, {}, c.middle);
    const state: Record<string, Named> = {};
    for (const [id, own] of Object.entries(c.state)) {
      state[id] = Object.fromEntries(
        Object.entries(own).map(([name, list]) => {
          return [
            name,
            torch.tensor(list, { dtype: torch.float64 }).reshape(list.length === 1 ? [] : shapes[Number(id)]),
          ];
        }),
      );
    }
    trajectory.optimizer.load_state_dict({ state, param_groups: c.groups as never });
    trajectory.run(split, gradients.length);
    trajectory.expectParams(c.end);
  });
});
