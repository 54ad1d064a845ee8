// Reads an access key from its file: the key alone, or as the header line that curl reads. It refuses a file that others can read,
// and never says what the file holds.
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { Refused } from "./refusal.js";

const LONGEST = 4096;
const OTHERS = 0o077;
const HEADER = /^authorization:\s*bearer\s+/i;
const KEY = /^[\x21-\x7e]+$/;

/** The key in the first line of a file. */
export function readKeyFile(/** @type {string} */ file) {
  const text = readPrivate(file);
  const [line = ""] = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/, 1);
  const key = line.trim().replace(HEADER, "");
  if (!KEY.test(key)) {
    throw refused(
      `${file} does not begin with an access key. Its first line must be what \`vega key add\` printed, alone or after ` +
        "`Authorization: Bearer `.",
    );
  }
  return key;
}

/** @returns {string} */
function readPrivate(/** @type {string} */ file) {
  let descriptor;
  try {
    // Not waiting for the other end of a pipe.
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const found = fstatSync(descriptor);
    if (!found.isFile()) {
      throw refused(`${file} is not a file. Give the file that holds the access key.`);
    }
    if (process.platform !== "win32" && (found.mode & OTHERS) !== 0) {
      throw refused(
        `Others than its owner may use ${file}, which holds an access key. Run \`chmod 600 ${file}\`. If others could read it, ` +
          "make a new key with `vega key add`, and revoke this one.",
      );
    }
    const bytes = Buffer.alloc(LONGEST);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes));
  } catch (error) {
    if (error instanceof Refused) {
      throw error;
    }
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    throw refused(
      `The access key in ${file} cannot be read (${code}). Make one with ` +
        `\`(umask 077; vega key add NAME --scope token:API > ${file})\`, as the user of this program.`,
    );
  } finally {
    if (descriptor !== undefined) {
      closeSync(descriptor);
    }
  }
}

function refused(/** @type {string} */ words) {
  return new Refused({ kind: "not-allowed", code: "key_file", words });
}
