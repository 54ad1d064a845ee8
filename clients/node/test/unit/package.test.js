// The package as npm gets it: what is in it, that it can be imported, and that TypeScript programs compile against it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(path.join(os.tmpdir(), "vega-package-"));
after(() => rmSync(folder, { recursive: true }));

const run = (/** @type {string} */ program, /** @type {string[]} */ args, cwd = HERE) => {
  try {
    return execFileSync(program, args, { cwd, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr } = /** @type {{ stdout: string, stderr: string }} */ (error);
    throw new Error(`${program} ${args.join(" ")}: ${stdout}${stderr}`);
  }
};

test("the package holds what belongs in it, runs, and has types", () => {
  const packed = JSON.parse(
    run("npm", ["pack", "--silent", "--json", "--pack-destination", folder]),
  );
  const [{ filename, files }] = packed;
  const names = files.map((/** @type {{ path: string }} */ file) => file.path);
  const others = names.filter(
    (/** @type {string} */ name) => !/^(src|types)\/.+\.(js|d\.ts)$/.test(name),
  );
  assert.deepEqual(others.sort(), ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "package.json"]);

  const installed = path.join(folder, "node_modules");
  mkdirSync(path.join(installed, "vega-client"), { recursive: true });
  run(
    "tar",
    ["xzf", filename, "-C", "node_modules/vega-client", "--strip-components", "1"],
    folder,
  );
  symlinkSync(path.join(HERE, "node_modules/@types"), path.join(installed, "@types"));
  const imports =
    'import * as a from "vega-client"; import * as b from "vega-client/upstox"; console.log(Object.keys({...a, ...b}).join())';
  const names2 = run(process.execPath, ["--input-type=module", "-e", imports], folder);
  assert.equal(
    names2.trim(),
    "NoToken,NotAllowed,Server,Token,TokenSource,Unreachable,VegaError,MarketDataStreamerV3,PortfolioDataStreamer,authenticate",
  );
  copyFileSync(path.join(HERE, "testing/consumer.ts"), path.join(folder, "consumer.mts"));
  const settings = [
    "--strict",
    "--noEmit",
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--types",
    "node",
  ];
  run(
    process.execPath,
    [path.join(HERE, "node_modules/typescript/bin/tsc"), ...settings, "consumer.mts"],
    folder,
  );
});
