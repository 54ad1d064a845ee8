// Certificates for `localhost` that sign themselves, made by openssl.
import { execFileSync } from "node:child_process";
import path from "node:path";

/**
 * @param {string} folder
 * @param {string} name
 */
export function selfSigned(folder, name) {
  const certificate = path.join(folder, `${name}.pem`);
  const key = path.join(folder, `${name}.key`);
  const subject = ["-subj", "/CN=test", "-addext", "subjectAltName=DNS:localhost"];
  const form = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const files = ["-keyout", key, "-out", certificate];
  execFileSync("openssl", ["req", ...form, "-days", "9", ...subject, ...files], {
    stdio: "ignore",
  });
  return { certificate, key };
}
