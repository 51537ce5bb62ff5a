// npm's install script. It never fails an install, as without a binary and a compiler the reference backend runs, and it
// downloads nothing.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addonLoads, buildAddon, headers, root } from './addon.mjs';
import { keepCode } from './code.mjs';

if (existsSync(join(root, 'lib'))) await import('./kernels.mjs');
if (!addonLoads()) {
  console.log('cresset: no prebuilt binary fits this machine; building one');
  if (headers === undefined || !buildAddon()) {
    console.warn(
      'cresset: the build failed, so the slower reference backend in TypeScript will run. For the native one, install ' +
        'a C++20 compiler, make, Python 3 and the headers of Node.js, then run `npm rebuild cresset`.',
    );
  }
}
if (existsSync(join(root, 'dist'))) keepCode();
