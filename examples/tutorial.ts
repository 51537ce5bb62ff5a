// The training loop every PyTorch tutorial begins with, under four optimizers. It prints the losses PyTorch prints.
import * as torch from 'cresset';
const { nn, optim } = torch;

const optimizers = {
  SGD: (params: Iterable<torch.Tensor>) => new optim.SGD(params, { lr: 0.01 }),
  'SGD with momentum': (params: Iterable<torch.Tensor>) => new optim.SGD(params, { lr: 0.002, momentum: 0.9 }),
  Adam: (params: Iterable<torch.Tensor>) => new optim.Adam(params, { lr: 0.01 }),
  RMSprop: (params: Iterable<torch.Tensor>) => new optim.RMSprop(params, { lr: 0.005 }),
};

for (const [name, makeOptimizer] of Object.entries(optimizers)) {
  console.log(name);
  torch.manual_seed(0);
  const X = torch.randn(100, 10);
  const y = torch.randn(100, 1);
  const model = new nn.Sequential(new nn.Linear(10, 5), new nn.ReLU(), new nn.Linear(5, 1));
  const optimizer = makeOptimizer(model.parameters());
  const criterion = new nn.MSELoss();
  for (let epoch = 0; epoch < 1000; epoch++) {
    const loss = criterion.forward(model.forward(X), y);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    if (epoch % 100 === 0) console.log(`Epoch ${epoch}, Loss: ${loss.item().toFixed(4)}`);
  }
}
