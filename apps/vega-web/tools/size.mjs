// Fails when the scripts of the built console are too heavy for a phone's first load: all of them, packed as they are sent.

import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LIMIT = 250_000;
const folder = fileURLToPath(new URL("../dist/assets/", import.meta.url));

const scripts = (await readdir(folder)).filter((name) => name.endsWith(".js"));
const sizes = await Promise.all(
  scripts.map(async (name) => gzipSync(await readFile(folder + name)).length),
);
const size = sizes.reduce((sum, one) => sum + one, 0);
if (scripts.length === 0 || size >= LIMIT) {
  console.error(
    `The scripts of the built console are ${scripts.length} with ${size} bytes of gzip; there must be some, of less than ` +
      `${LIMIT} bytes. See which import brought them.`,
  );
  process.exitCode = 1;
}
