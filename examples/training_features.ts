// What a training loop grows into: a module of one's own, a schedule, parameter groups, clipping, both ways to clear gradients.
import * as torch from 'cresset';
const { nn, optim } = torch;

class Net extends nn.Module {
  base = new nn.Sequential(new nn.Linear(10, 16), new nn.ReLU(), new nn.Linear(16, 8), new nn.ReLU());
  classifier = new nn.Linear(8, 3);

  override forward(x: torch.Tensor): torch.Tensor {
    return this.classifier.forward(this.base.forward(x));
  }
}

torch.manual_seed(0);
const X = torch.randn(120, 10);
const y = torch.randint(0, 3, [120]);
const criterion = new nn.CrossEntropyLoss();

stepLR();
parameterGroups();
clipping();
clearing(true);
clearing(false);

function stepLR(): void {
  console.log('StepLR: the learning rate falls to a tenth every 30 epochs');
  const model = new Net();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const scheduler = new optim.lr_scheduler.StepLR(optimizer, { step_size: 30, gamma: 0.1 });
  for (let epoch = 0; epoch < 90; epoch++) {
    const loss = criterion.forward(model.forward(X), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    if (epoch % 15 === 0) report(epoch, `lr: ${scheduler.get_last_lr()[0].toFixed(4)}`, loss);
    scheduler.step();
  }
}

function parameterGroups(): void {
  console.log('Parameter groups: the classifier learns ten times as fast as the base');
  const model = new Net();
  const optimizer = new optim.SGD(
    [{ params: model.base.parameters() }, { params: model.classifier.parameters(), lr: 0.1 }],
    { lr: 0.01, momentum: 0.9 },
  );
  for (let epoch = 0; epoch < 60; epoch++) {
    const loss = criterion.forward(model.forward(X), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    const rates = optimizer.param_groups.map(({ lr }) => Number(lr).toFixed(2)).join(' and ');
    if (epoch % 15 === 0) report(epoch, `lr: ${rates}`, loss);
  }
}

function clipping(): void {
  console.log("Clipping: the gradient's norm is held to 0.1");
  const model = new Net();
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
  for (let epoch = 0; epoch < 60; epoch++) {
    const loss = criterion.forward(model.forward(X), y);
    optimizer.zero_grad();
    loss.backward();
    const norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1);
    optimizer.step();
    if (epoch % 15 === 0) report(epoch, `norm before: ${norm.item().toFixed(4)}`, loss);
  }
}

function clearing(set_to_none: boolean): void {
  console.log(`zero_grad({ set_to_none: ${set_to_none} })`);
  const model = new Net();
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  for (let epoch = 0; epoch < 3; epoch++) {
    optimizer.zero_grad({ set_to_none });
    const { grad } = model.classifier.bias!;
    const cleared = grad === null ? 'null' : `[${String(grad.tolist())}]`;
    const loss = criterion.forward(model.forward(X), y);
    loss.backward();
    optimizer.step();
    report(epoch, `cleared gradient: ${cleared}`, loss);
  }
}

function report(epoch: number, what: string, loss: torch.Tensor): void {
  console.log(`Epoch ${epoch}, ${what}, Loss: ${loss.item().toFixed(4)}`);
}
