import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** An authority, a server certificate for 127.0.0.1 and one for each client, made with openssl in a folder. */
export function makeCertificates(folder: string, clients: readonly string[]) {
  const at = (name: string) => join(folder, name);
  const openssl = (...words: string[]) => execFileSync("openssl", words, { cwd: folder, stdio: "ignore" });
  const newKey = (name: string) => {
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at(`${name}.key`));
    chmodSync(at(`${name}.key`), 0o600);
  };
  newKey("authority");
  openssl(
    "req",
    "-x509",
    "-new",
    "-key",
    "authority.key",
    "-subj",
    "/CN=test authority",
    "-days",
    "2",
    "-out",
    "authority.pem",
  );
  const signed = (name: string, commonName: string, extension: string) => {
    newKey(name);
    writeFileSync(at(`${name}.ext`), extension);
    openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${commonName}`, "-out", `${name}.csr`);
    const by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"];
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      ...by,
      "-days",
      "2",
      "-extfile",
      `${name}.ext`,
      "-out",
      `${name}.pem`,
    );
  };
  signed("service", "license service", "subjectAltName=IP:127.0.0.1\n");
  for (const client of clients) signed(client, client, "extendedKeyUsage=clientAuth\n");
  // One that looks right and was signed by itself.
  newKey("stranger");
  openssl(
    "req",
    "-x509",
    "-new",
    "-key",
    "stranger.key",
    "-subj",
    "/CN=line-1",
    "-days",
    "2",
    "-out",
    "stranger.pem",
  );
  openssl("genpkey", "-algorithm", "ed25519", "-out", "bundle.key");
  chmodSync(at("bundle.key"), 0o600);
  openssl("pkey", "-in", "bundle.key", "-pubout", "-out", "bundle.pem");
  return { at };
}
