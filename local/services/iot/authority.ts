/** The local certificate authority: it signs devices' certificates and the broker's own, and is what devices trust. */
import { createPrivateKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeys, issueCertificate } from './x509';
import type { Issuer } from './x509';

const SUBJECT = 'AWS IoT local certificate authority';
/** As AWS IoT's own device certificates. */
const END_OF_VALIDITY = Date.UTC(2049, 11, 31, 23, 59, 59);
const HOUR = 3_600_000;

export interface IssuedCertificate {
  readonly certificatePem: string;
  readonly publicKeyPem: string;
  readonly privateKeyPem: string;
}

export class CertificateAuthority {
  private constructor(
    private readonly issuer: Issuer,
    /** What devices verify the broker with, as they do with the Amazon root CA on AWS. */
    readonly certificatePem: string,
    /** The same, as a file. */
    readonly certificatePath: string,
  ) {}

  /** Opens the authority that stands in the directory (`ca.pem`, `ca-key.pem`), or makes one. */
  static open(directory: string, now: number): CertificateAuthority {
    mkdirSync(directory, { recursive: true });
    const certificatePath = join(directory, 'ca.pem');
    const keyPath = join(directory, 'ca-key.pem');
    if (!existsSync(certificatePath)) {
      const { publicKey, privateKey } = generateKeys();
      writeFileSync(keyPath, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
      const validity = { notBefore: now - HOUR, notAfter: END_OF_VALIDITY };
      // Last: a certificate that is there has its key.
      writeFileSync(
        certificatePath,
        issueCertificate(
          { subject: SUBJECT, publicKey, ...validity, usage: 'authority' },
          { subject: SUBJECT, privateKey },
        ),
      );
    }
    const privateKey = createPrivateKey(readFileSync(keyPath));
    return new CertificateAuthority(
      { subject: SUBJECT, privateKey },
      readFileSync(certificatePath, 'utf8'),
      certificatePath,
    );
  }

  issueDeviceCertificate(now: number): IssuedCertificate {
    return this.issue('AWS IoT Certificate', 'client', now);
  }

  issueServerCertificate(alternativeNames: readonly string[], now: number): IssuedCertificate {
    return this.issue(alternativeNames[0]!, 'server', now, alternativeNames);
  }

  private issue(
    subject: string,
    usage: 'client' | 'server',
    now: number,
    alternativeNames: readonly string[] = [],
  ): IssuedCertificate {
    const { publicKey, privateKey } = generateKeys();
    const request = { subject, publicKey, notBefore: now - HOUR, notAfter: END_OF_VALIDITY, usage, alternativeNames };
    return {
      certificatePem: issueCertificate(request, this.issuer),
      publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }
}
