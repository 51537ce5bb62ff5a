import * as torch from 'cresset';
import { loadMnist } from './mnist_data.js';
const { nn, optim } = torch;
const { extra } = optim;

// What compare_optimizers.ts trains, and by which optimizers: each on a task that suits it.

type Module = torch.nn.Module;
type Optimizer = Pick<torch.optim.Optimizer, 'step' | 'state'>;
type Tensors = Iterable<torch.Tensor>;

/** A model about to be trained. */
export interface Training {
  readonly model: Module;
  /** Most often one; together they have all parameters. */
  readonly optimizers: Optimizer[];
}

/** Examples, and the optimizers to learn them by. */
export interface Task {
  /** Names the picture's file. */
  readonly name: string;
  readonly title: string;
  /** Makes a model, from the current seed, and what trains it. */
  readonly optimizers: Record<string, (lr: number) => Training>;
  /** How many examples there are, how many a gradient is of, and how many gradients are spent. */
  readonly examples: number;
  readonly batchSize: number;
  readonly gradients: number;
  /** The mean loss over some of the examples, by their numbers. */
  loss(model: Module, examples: torch.Tensor): torch.Tensor;
}

export interface Sizes {
  /** How many examples of each task are used. */
  readonly limit: number;
  /** How often the examples are gone through in batches; and where they are one batch. */
  readonly epochs: number;
  readonly passes: number;
}

export function makeTasks(sizes: Sizes): Task[] {
  const { images, labels } = loadMnist('train', sizes.limit);
  const examples = labels.numel();
  const criterion = new nn.CrossEntropyLoss();
  const digits = {
    examples,
    loss: (model: Module, batch: torch.Tensor) =>
      criterion.forward(model.forward(images.index_select(0, batch)) as torch.Tensor, labels.index_select(0, batch)),
  };
  return [
    {
      ...digits,
      name: 'batches',
      title: `MNIST's first ${examples} digits in batches of 128, ${sizes.epochs} epochs`,
      batchSize: 128,
      gradients: sizes.epochs * Math.ceil(examples / 128),
      optimizers: {
        SGD: classifier((params, lr) => new optim.SGD(params, { lr })),
        'SGD, momentum 0.9': classifier((params, lr) => new optim.SGD(params, { lr, momentum: 0.9 })),
        ASGD: classifier((params, lr) => new optim.ASGD(params, { lr })),
        Adagrad: classifier((params, lr) => new optim.Adagrad(params, { lr })),
        Adadelta: classifier((params, lr) => new optim.Adadelta(params, { lr })),
        RMSprop: classifier((params, lr) => new optim.RMSprop(params, { lr })),
        Adam: classifier((params, lr) => new optim.Adam(params, { lr })),
        AdamW: classifier((params, lr) => new optim.AdamW(params, { lr })),
        Adamax: classifier((params, lr) => new optim.Adamax(params, { lr })),
        NAdam: classifier((params, lr) => new optim.NAdam(params, { lr })),
        RAdam: classifier((params, lr) => new optim.RAdam(params, { lr })),
        Adafactor: classifier((params, lr) => new optim.Adafactor(params, { lr })),
        'Muon, and AdamW': muonAndAdamW,
        'extra.Lion': classifier((params, lr) => new extra.Lion(params, { lr })),
        'extra.LAMB': classifier((params, lr) => new extra.LAMB(params, { lr })),
        'extra.ScheduleFreeAdamW': classifier((params, lr) => new extra.ScheduleFreeAdamW(params, { lr })),
      },
    },
    {
      ...digits,
      name: 'whole',
      title: `The same digits in one batch, ${sizes.passes} gradients`,
      batchSize: examples,
      gradients: sizes.passes,
      optimizers: {
        'SGD, momentum 0.9': classifier((params, lr) => new optim.SGD(params, { lr, momentum: 0.9 })),
        Adam: classifier((params, lr) => new optim.Adam(params, { lr })),
        Rprop: classifier((params, lr) => new optim.Rprop(params, { lr })),
        LBFGS: classifier((params, lr) => new optim.LBFGS(params, { lr, max_iter: 10 })),
        'LBFGS, strong Wolfe': classifier(
          (params, lr) => new optim.LBFGS(params, { lr, max_iter: 10, line_search_fn: 'strong_wolfe' }),
        ),
      },
    },
    ratings(sizes),
  ];
}

/** A network for digits. */
function network(): torch.nn.Sequential {
  return new nn.Sequential(
    new nn.Linear(784, 64),
    new nn.ReLU(),
    new nn.Linear(64, 32),
    new nn.ReLU(),
    new nn.Linear(32, 10),
  );
}

/** Trains it whole by one optimizer. */
function classifier(make: (params: Tensors, lr: number) => Optimizer): (lr: number) => Training {
  return (lr) => {
    const model = network();
    return { model, optimizers: [make(model.parameters(), lr)] };
  };
}

/** Muon is for the matrices between hidden layers; AdamW takes the biases and the last layer. */
function muonAndAdamW(lr: number): Training {
  const model = network();
  const params = model.named_parameters();
  const hidden = (name: string): boolean => name === '0.weight' || name === '2.weight';
  return {
    model,
    optimizers: [
      new optim.Muon(
        params.filter(([name]) => hidden(name)),
        { lr },
      ),
      new optim.AdamW(
        params.filter(([name]) => !hidden(name)),
        { lr: 3e-3 },
      ),
    ],
  };
}

/** Ratings as products of a user's and an item's vector, of which every batch needs a few. */
class Ratings extends nn.Module {
  readonly users: torch.nn.Embedding;
  readonly items: torch.nn.Embedding;

  constructor(users: number, items: number, options: { sparse: boolean }) {
    super();
    this.users = new nn.Embedding(users, 16, options);
    this.items = new nn.Embedding(items, 16, options);
    for (const { weight } of [this.users, this.items]) nn.init.normal_(weight, { std: 0.3 });
  }

  override forward(users: torch.Tensor, items: torch.Tensor): torch.Tensor {
    return this.users.forward(users).mul(this.items.forward(items)).sum(1);
  }
}

/** Ten ratings of each user, made of vectors of four numbers; few items have most of them. */
function ratings({ limit, epochs }: Sizes): Task {
  const [userCount, itemCount, examples] = [limit, Math.ceil(limit / 5), 10 * limit];
  torch.manual_seed(0);
  const users = torch.randint(0, userCount, [examples]);
  const items = torch.rand(examples).pow(3).mul(itemCount).to(torch.int64);
  const vectors = (count: number, of: torch.Tensor): torch.Tensor => torch.randn(count, 4).index_select(0, of);
  const truth = vectors(userCount, users).mul(vectors(itemCount, items)).sum(1).div(2);
  const criterion = new nn.MSELoss();
  const start =
    (sparse: boolean, make: (params: Tensors, lr: number) => Optimizer) =>
    (lr: number): Training => {
      const model = new Ratings(userCount, itemCount, { sparse });
      return { model, optimizers: [make(model.parameters(), lr)] };
    };
  return {
    name: 'embeddings',
    title: `${examples} ratings by embeddings of ${userCount} users and ${itemCount} items, batches of 1024, ${epochs} epochs`,
    examples,
    batchSize: 1024,
    gradients: epochs * Math.ceil(examples / 1024),
    optimizers: {
      'SGD, sparse': start(true, (params, lr) => new optim.SGD(params, { lr })),
      'Adagrad, sparse': start(true, (params, lr) => new optim.Adagrad(params, { lr })),
      SparseAdam: start(true, (params, lr) => new optim.SparseAdam(params, { lr })),
      'Adam, dense': start(false, (params, lr) => new optim.Adam(params, { lr })),
    },
    loss: (model, batch) =>
      criterion.forward(
        model.forward(users.index_select(0, batch), items.index_select(0, batch)),
        truth.index_select(0, batch),
      ),
  };
}
