"""JAX's side of the benchmark: the whole training step compiled by jit, the old state donated, Adam from optax."""

import os
from functools import partial

from serve import serve


def start(threads):
    # JAX takes as many threads as it may use cores, once, when it is imported.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import jax

    return {"version": jax.__version__, "kinds": ["tutorial", "mlp"]}


def prepare(program):
    import jax
    import jax.numpy as jnp
    import optax

    def loss_of(params, x, y):
        for weight, bias in params[:-1]:
            x = jax.nn.relu(x @ weight.T + bias)
        weight, bias = params[-1]
        x = x @ weight.T + bias
        if program["kind"] == "tutorial":
            return jnp.mean((x - y) ** 2)
        return optax.softmax_cross_entropy_with_integer_labels(x, y).mean()

    optimizer = optax.adam(0.001)

    @partial(jax.jit, donate_argnums=(0, 1))
    def train(params, state, x, y):
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, loss

    keys = iter(jax.random.split(jax.random.key(0), 16))

    def linear(inputs, outputs):
        bound = inputs**-0.5
        shapes = [(outputs, inputs), (outputs,)]
        return tuple(jax.random.uniform(next(keys), shape, minval=-bound, maxval=bound) for shape in shapes)

    if program["kind"] == "tutorial":
        sizes = [10, 5, 1]
        x, y = jax.random.normal(next(keys), (100, 10)), jax.random.normal(next(keys), (100, 1))
    else:
        sizes, batch = [784, 512, 256, 10], program["batch"]
        x, y = jax.random.normal(next(keys), (batch, 784)), jax.random.randint(next(keys), (batch,), 0, 10)
    params = [linear(*pair) for pair in zip(sizes, sizes[1:])]
    state = optimizer.init(params)
    loss = None

    def step():
        nonlocal params, state, loss
        params, state, loss = train(params, state, x, y)

    return step, lambda: jax.block_until_ready((params, state, loss))


if __name__ == "__main__":
    serve(start, prepare)
