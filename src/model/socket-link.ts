/** The one path of a daemon that everybody knows. */

/** Where the original listens and old clients look; here a link that the helper makes to the user's own socket. */
export const defaultSocketLink = "/var/run/localizer.sock";
