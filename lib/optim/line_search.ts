/** A point on a line: how far along, the function's value, its gradient, and its slope along the line. */
export interface Point<G> {
  t: number;
  f: number;
  g: G;
  slope: number;
}

/** When a {@link strongWolfe} search ends. */
interface Limits {
  /** The greatest absolute value of the direction. */
  size: number;
  /** The search ends once it moves no parameter by more. */
  tolerance_change: number;
  /** At most this many evaluations after the first. */
  evaluations: number;
  /** Rounds to the dtype of the parameters, in which PyTorch computes. */
  round(x: number): number;
}

/** How much of the decrease that the slope promises must come (Armijo), and how much flatter it must become. */
const [DECREASE, FLATTENING] = [1e-4, 0.9];

/**
 * Where a cubic through two points with their slopes is least, between `low` and `high`.
 * J. Nocedal, S. Wright: Numerical Optimization, 2nd edition, equation 3.59.
 */
function cubicMinimum<G>(a: Point<G>, b: Point<G>, low: number, high: number, round: Limits['round']): number {
  const d1 = round(round(a.slope + b.slope) - round((3 * (a.f - b.f)) / round(a.t - b.t)));
  const square = round(round(d1 * d1) - round(a.slope * b.slope));
  if (!(square >= 0)) return round((low + high) / 2);
  const d2 = round(Math.sqrt(square));
  const [p, q] = a.t <= b.t ? [a, b] : [b, a];
  const over = round(round(round(q.slope + d2) - d1) / round(round(q.slope - p.slope) + 2 * d2));
  return Math.min(Math.max(round(q.t - round(round(q.t - p.t) * over)), low), high);
}

/**
 * Looks for a point where the strong Wolfe conditions hold: a bracket is widened until such a point must lie in it, then
 * narrowed. PyTorch: `torch.optim.lbfgs._strong_wolfe`; Numerical Optimization, algorithms 3.5 and 3.6.
 * @param origin The point at 0.
 * @param t The first trial.
 */
export function strongWolfe<G>(
  evaluate: (t: number) => Point<G>,
  origin: Point<G>,
  t: number,
  { size, tolerance_change, evaluations, round }: Limits,
): { point: Point<G>; evaluations: number } {
  const decreases = ({ t, f }: Point<G>): boolean =>
    !(round(f) > round(origin.f + round(round(DECREASE * t) * origin.slope)));
  const flattens = ({ slope }: Point<G>): boolean => Math.abs(slope) <= round(-FLATTENING * origin.slope);

  let previous = origin;
  let point = evaluate(t);
  let bracket: Point<G>[] = [];
  let n = 0;
  for (; n < evaluations && bracket.length === 0; n++) {
    if (!decreases(point) || (n > 1 && point.f >= previous.f)) bracket = [previous, point];
    else if (flattens(point)) return { point, evaluations: n + 1 };
    else if (point.slope >= 0) bracket = [previous, point];
    if (bracket.length > 0) break;
    const low = round(point.t + round(0.01 * round(point.t - previous.t)));
    const next = cubicMinimum(previous, point, low, round(point.t * 10), round);
    previous = point;
    point = evaluate(next);
  }
  if (bracket.length === 0) bracket = [origin, point];

  let [low, high] = lowest(bracket);
  let insufficient = false;
  for (; n < evaluations; n++) {
    const [from, to] = [Math.min(bracket[0].t, bracket[1].t), Math.max(bracket[0].t, bracket[1].t)];
    if (round(round(to - from) * size) < tolerance_change) break;
    t = cubicMinimum(bracket[0], bracket[1], from, to, round);
    // Close to a border for the second time, or on it: a tenth of the bracket away from it instead.
    const margin = round(0.1 * round(to - from));
    if (Math.min(round(to - t), round(t - from)) < margin) {
      if (insufficient || t >= to || t <= from) {
        t = Math.abs(round(t - to)) < Math.abs(round(t - from)) ? round(to - margin) : round(from + margin);
        insufficient = false;
      } else {
        insufficient = true;
      }
    } else {
      insufficient = false;
    }
    point = evaluate(t);
    if (!decreases(point) || point.f >= bracket[low].f) {
      bracket[high] = point;
      [low, high] = lowest(bracket);
      continue;
    }
    const done = flattens(point);
    if (!done && point.slope * round(bracket[high].t - bracket[low].t) >= 0) bracket[high] = bracket[low];
    bracket[low] = point;
    if (done) {
      n++;
      break;
    }
  }
  return { point: bracket[low], evaluations: n + 1 };
}

/** Which of two points is lower, and which higher. */
function lowest<G>([a, b]: readonly Point<G>[]): [number, number] {
  return a.f <= b.f ? [0, 1] : [1, 0];
}
