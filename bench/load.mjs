// Runs the given number of the tutorial's steps and prints the most bytes that were resident. Plain Node: its start is measured.
import * as torch from 'cresset';
const { nn, optim } = torch;

torch.manual_seed(0);
const [x, y] = [torch.randn(100, 10), torch.randn(100, 1)];
const model = new nn.Sequential(new nn.Linear(10, 5), new nn.ReLU(), new nn.Linear(5, 1));
const criterion = new nn.MSELoss();
const optimizer = new optim.Adam(model.parameters(), { lr: 0.001 });
for (let step = 0; step < Number(process.argv[2]); step++) {
  const loss = criterion.forward(model.forward(x), y);
  optimizer.zero_grad();
  loss.backward();
  optimizer.step();
}
console.log(process.resourceUsage().maxRSS * 1024);
