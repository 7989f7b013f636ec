/** How the parts of the program know that the daemon was started by `up`. */

/** Set in a daemon that was started by `up`: Ctrl-C and the terminal's end are not its affair. */
export const detachedVariable = "_LOCALIZER_DETACHED";
