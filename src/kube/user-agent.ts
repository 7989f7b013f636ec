/** What localizer calls itself to API servers, in their audit logs. Pure. */

/** The value of the User-Agent header. */
export function userAgent(version: string | undefined): string {
  return version === undefined ? "localizer" : `localizer/${version}`;
}
