/** Word of every change of credentials: what was found out about rights with the old one says nothing about the new. */
import type { Credential, Credentials } from "../kube/credentials.ts";

/** The same credentials; `onChange` is called when a credential other than the one before is handed out, not for the first. */
export function watchCredentials(credentials: Credentials, onChange: () => void): Credentials {
  let last: Credential | undefined;
  return {
    async current(signal) {
      const credential = await credentials.current(signal);
      const isOther = last !== undefined && last !== credential;
      last = credential;
      if (isOther) onChange();
      return credential;
    },
    rejected: (credential) => credentials.rejected(credential),
    get failure() {
      return credentials.failure;
    },
  };
}
