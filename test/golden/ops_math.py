"""PyTorch's results for the elementwise, comparison, reduction and row ops: writes ops_math.json.

Each case names a function, its arguments (tensors by their names in `tensors`) and options; PyTorch's result, and the
gradients of the floating-point tensors for an output gradient of `seed`, are recorded in float64.
"""
import json
import pathlib

import torch

inf, nan = float('inf'), float('nan')
torch.manual_seed(0)


def rounded(*shape, low=-2.0, high=2.0):
    return (torch.rand(*shape, dtype=torch.float64) * (high - low) + low).mul(64).round().div(64)


tensors = {
    'x': rounded(2, 3),
    'y': rounded(2, 3),
    'row': rounded(3),
    'column': rounded(2, 1),
    'single': torch.tensor(0.75, dtype=torch.float64),
    'unit': rounded(2, 3, low=-0.9, high=0.9),
    'probability': rounded(2, 3, low=0.1, high=0.9),
    'positive': rounded(2, 3, low=0.25, high=3.0),
    'beyond': rounded(2, 3, low=1.25, high=3.0),
    'strided': rounded(3, 2).t(),
    'cube': rounded(2, 3, 2),
    'long': rounded(37, low=-3.0, high=3.0),
    'empty': torch.zeros(2, 0, 3, dtype=torch.float64),
    'ties': torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, -1.0]], dtype=torch.float64),
    'halves': torch.tensor([-2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.2], dtype=torch.float64),
    'zeros': torch.tensor([[0.0, 2.0, -1.5], [0.0, 0.0, 3.0]], dtype=torch.float64),
    'special': torch.tensor([nan, inf, -inf, 0.0, -0.0, 1.0, -1.0], dtype=torch.float64),
    'other': torch.tensor([1.0, inf, inf, -0.0, 0.0, nan, 0.5], dtype=torch.float64),
    'ints': torch.tensor([[5, -7, 2], [9, 0, -3]]),
    'ints32': torch.tensor([[2, 3, -4], [-2, 5, 7]], dtype=torch.int32),
    'bytes': torch.tensor([[200, 3, 9], [0, 5, 255]], dtype=torch.uint8),
    'bools': torch.tensor([[True, False, True], [False, False, True]]),
    'truths': torch.tensor([[False, False, True], [True, False, True]]),
}
X, ANY = ['x'], ['x', 'strided', 'single', 'empty', 'long']
PAIRS = [['x', 'y'], ['x', 'row'], ['column', 'row'], ['strided', 'x'], ['x', 'single'], ['x', 1.5], ['empty', 'row']]
INTS = [['ints', 'ints32'], ['ints', 'bytes'], ['ints', 2], ['bytes', 'x'], ['ints32', 0.5]]
BOOLS = [['bools', 'truths'], ['bools', 'ints']]
DIMS = [{}, {'dim': 1}, {'dim': -2, 'keepdim': True}]
cases = []


def numbers(t):
    return t if isinstance(t, bool) else [plain(v) for v in t.detach().flatten().tolist()]


def plain(v):
    """A value as JSON has it; what it has no number for as a string."""
    if not isinstance(v, float):
        return v
    if v != v or abs(v) == inf:
        return str(v).replace('inf', 'Infinity').replace('nan', 'NaN')
    return float(f'{v:.14g}')


def seed(t):
    return torch.arange(t.numel(), dtype=t.dtype).mul(7).remainder(5).div(2).sub(0.75).reshape(t.shape)


def lookup(name):
    t = tensors[name]
    return t.detach().clone(memory_format=torch.preserve_format)


def written(value):
    return '@' + value if isinstance(value, str) and value in tensors else plain(value)


def case(name, args, options):
    leaves = {}

    def resolve(value):
        if not (isinstance(value, str) and value in tensors):
            return value
        if value not in leaves:
            leaves[value] = lookup(value)
            if leaves[value].is_floating_point():
                leaves[value].requires_grad_()
        return leaves[value]

    positional = [resolve(a) for a in args]
    given = {k: resolve(v) for k, v in options.items()}
    out = getattr(torch, name)(*positional, **given)
    entry = {'f': name, 'args': [written(a) for a in args]}
    if options:
        entry['options'] = {k: written(v) for k, v in options.items()}
    outs = [out] if isinstance(out, (torch.Tensor, bool)) else list(out)
    entry['out'] = [numbers(o) for o in outs]
    if isinstance(outs[0], bool):
        cases.append(entry)
        return
    entry['shapes'] = [list(o.shape) for o in outs]
    # What float32 inputs would give.
    entry['dtypes'] = [str(o.dtype).removeprefix('torch.').replace('float64', 'float32') for o in outs]
    roots = [o for o in outs if o.requires_grad]
    if roots:
        inputs = {k: t for k, t in leaves.items() if t.requires_grad}
        grads = torch.autograd.grad(roots, list(inputs.values()), [seed(o) for o in roots], allow_unused=True)
        entry['grads'] = {k: None if g is None else numbers(g) for k, g in zip(inputs, grads)}
    if isinstance(out, torch.Tensor) and hasattr(torch.Tensor, name + '_') and isinstance(positional[0], torch.Tensor):
        try:
            getattr(lookup(args[0]), name + '_')(*[p.detach() if isinstance(p, torch.Tensor) else p for p in positional[1:]], **given)
            entry['in_place'] = True
        except RuntimeError:
            entry['in_place'] = False
    cases.append(entry)


def each(names, arguments, options=({},)):
    for name in names.split():
        for args in arguments:
            for o in options:
                case(name, args if isinstance(args, list) else [args], o)


each('neg abs sign exp exp2 expm1 sin cos tan sinc atan sinh cosh tanh asinh erf erfc sigmoid relu floor ceil round trunc '
     'frac square positive', ANY + ['halves', 'special'])
each('sqrt log log2 log10 log1p rsqrt reciprocal lgamma', ['positive', 'special'])
each('digamma', ['positive'])
each('lgamma digamma reciprocal', ['x'])
each('asin acos atanh erfinv', ['unit', 'special'])
each('acosh', ['beyond'])
each('logit', ['probability', 'unit'], [{'eps': 0.125}, {'eps': 0.625}])
each('logit', ['probability', 'unit'])
each('round trunc floor ceil', ['halves', 'ints'])
each('round', ['x'], [{'decimals': 1}, {'decimals': -1}])
each('neg abs sign square relu sqrt exp sigmoid', ['ints', 'bytes'])
each('sign sqrt square', ['bools'])
each('isnan isinf isfinite logical_not', ['special', 'ints', 'bools'])
each('bitwise_not', ['ints', 'bytes', 'bools'])
each('nan_to_num', ['special', 'ints'], [{'nan': 1.5, 'posinf': 9.0, 'neginf': -9.0}])

each('add sub rsub', PAIRS + INTS, [{}, {'alpha': 2}])
each('mul div remainder fmod', PAIRS)
each('maximum minimum fmax fmin', [p for p in PAIRS if not isinstance(p[1], float)] + [['special', 'other'], ['ties', 'single']])
each('atan2 hypot logaddexp', [p for p in PAIRS if not isinstance(p[1], float)])
each('logaddexp', [['special', 'special'], ['special', 'other']])
each('copysign', PAIRS + [['special', 'other'], ['ints', 'x']])
each('xlogy', [['x', 'positive'], ['zeros', 'positive'], ['zeros', 'zeros'], ['positive', 2.5], ['special', 'other']])
each('add mul', BOOLS)
each('mul true_divide', INTS + [['bools', 'truths']])
each('div', PAIRS + INTS[3:], [{'rounding_mode': 'floor'}, {'rounding_mode': 'trunc'}])
each('div', [['ints', 'ints32']], [{'rounding_mode': 'floor'}, {'rounding_mode': 'trunc'}, {}])
each('floor_divide remainder fmod', [['ints', 'ints32'], ['ints', 2], ['ints', -2], ['bytes', 7]])
each('pow', [['positive', 'y'], ['positive', 'row'], ['x', 2], ['x', 3], ['x', 0], ['x', 1], ['positive', 0.5],
             ['positive', -1.5], ['x', -1], ['zeros', 2], ['zeros', 'positive'], [2, 'x'], [0, 'positive'], ['ints', 2],
             ['ints32', 3], ['ints', 0.5], ['special', 2]])
each('lerp', [['x', 'y', 0.25], ['x', 'y', 0.75], ['x', 'row', 'column'], ['x', 'y', 'unit']])
each('addcmul addcdiv', [['x', 'y', 'positive'], ['x', 'column', 'positive']], [{}, {'value': -0.5}])
each('addcmul', [['ints', 'ints32', 'ints']])
each('where', [['bools', 'x', 'y'], ['bools', 'x', 0.0], ['bools', 1, 'x'], ['bools', 'column', 'row'], ['bools', 1, 2],
               ['bools', 'ints', 1.5], ['bools', 'ints32', 'ints']])
each('clamp', ['x', 'ties', 'special'], [{'min': -1.0}, {'max': 2.0}, {'min': -1.0, 'max': 1.0}, {'min': 2.0, 'max': -1.0}])
each('clamp', ['ints'], [{'min': -2}, {'min': -1.5, 'max': 3}])
each('clamp', ['x'], [{'min': 'y'}, {'max': 'row'}, {'min': 'column', 'max': 'row'}])
each('clamp_min clamp_max', [['x', 0.5], ['x', 'row'], ['ties', 2.0]])
each('eq ne lt le gt ge', [['x', 'strided'], ['ties', 'single'], ['ties', 2], ['special', 'other'], ['ints', 'ints32'],
                           ['bools', 'truths'], ['ints', 2.5]])
each('logical_and logical_or logical_xor', [['zeros', 'x'], ['bools', 'ints']])
each('bitwise_and bitwise_or bitwise_xor', [['ints', 'ints32'], ['bools', 'truths'], ['bytes', 12]])
each('isclose', [['x', 'y'], ['special', 'special']], [{}, {'rtol': 0.5, 'atol': 0.1, 'equal_nan': True}])
each('allclose equal', [['x', 'x'], ['x', 'y'], ['empty', 'empty']])

each('sum mean nansum', X + ['strided', 'cube', 'long'], DIMS[:1])
each('sum mean amax amin prod all any', ['cube', 'strided'], DIMS[1:])
each('sum mean amax amin all any nansum', ['cube'], [{'dim': [0, 2]}, {'dim': [-1, 0], 'keepdim': True}])
each('sum mean prod nansum', ['single', 'empty'])
each('sum prod', ['ints', 'bytes', 'bools'], DIMS)
each('nansum', ['special', 'ints'])
each('prod', ['x', 'zeros', 'positive'], [{}, {'dim': 0}, {'dim': 1}])
each('amax amin max min argmax argmin', ['ties', 'strided', 'single', 'special', 'ints', 'long'])
each('max min argmax argmin', ['ties', 'cube', 'ints', 'strided'], DIMS[1:])
each('max min', [['x', 'row']])
each('aminmax', ['x'], [{}, {'dim': 0}])
each('all any count_nonzero', ['zeros', 'ints', 'bytes', 'bools', 'empty'])
each('count_nonzero', ['zeros'], [{'dim': 1}])
for name in ['var', 'std', 'var_mean', 'std_mean']:
    for options in [{}, {'dim': 1}, {'dim': [0, 2], 'correction': 0, 'keepdim': True}, {'dim': 0, 'correction': 0.5}]:
        case(name, ['cube'], options)
    case(name, ['long'], {'unbiased': False})
for p in ['fro', 1, 2, 3, 0, 0.5, 1.5, inf, -inf]:
    for name in ['x', 'zeros', 'ties']:
        if name == 'zeros' and p in (-inf, 0.5):
            continue
        case('norm', [name], {'p': p})
        case('norm', [name], {'p': p, 'dim': 1, 'keepdim': True})
each('dist', [['x', 'y']], [{}, {'p': 1}])
each('cumsum cumprod', [['cube', 0], ['cube', 1], ['strided', -1], ['zeros', 1], ['single', 0], ['ints', 1], ['long', 0]])
each('logsumexp', [['cube', 1], ['cube', [0, 2]], ['strided', -1, True], ['special', 0], ['single', 0], ['ints', 0]])
each('softmax log_softmax', [['cube', 0], ['cube', 1], ['strided', -1], ['single', 0], ['long', 0]])

# torch.result_type for every pair: tensors with a dimension, without (marked 0), and numbers.
dtypes = [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool]
operands = {}
for dtype in dtypes:
    name = str(dtype).removeprefix('torch.')
    operands[name] = torch.ones(2, dtype=dtype)
    operands[name + ' 0'] = torch.tensor(1, dtype=dtype)
promotion = {}
for name, t in operands.items():
    others = {**operands, 'true': True, '2': 2, '2.5': 2.5}
    promotion[name] = {k: str(torch.result_type(t, o)).removeprefix('torch.') for k, o in others.items()}

json.dump(
    {
        'tensors': {k: {'shape': list(t.shape), 'dtype': str(t.dtype).removeprefix('torch.'),
                        'strided': not t.is_contiguous(), 'values': numbers(t)} for k, t in tensors.items()},
        'cases': cases,
        'promotion': promotion,
    },
    open(pathlib.Path(__file__).with_suffix('.json'), 'w'), separators=(',', ':'),
)
