// npm's install script. It never fails an install: without a binary and a compiler, the reference backend runs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildAddon, findAddon, root } from './addon.mjs';

if (existsSync(join(root, 'lib'))) await import('./kernels.mjs');
if (findAddon() === null) {
  console.log('cresset: no prebuilt binary fits this machine; building one');
  if (!buildAddon()) {
    console.warn(
      'cresset: the build failed, so the slower reference backend in TypeScript will run. For the native one, install ' +
        'a C++20 compiler, make and Python 3, then run `npm rebuild cresset`.',
    );
  }
}
