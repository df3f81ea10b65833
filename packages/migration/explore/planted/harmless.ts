/**
 * Mistakes that nothing shows, and why they harm nothing. A mistake is listed by its id; a list that names one that is
 * caught, or that is not there any more, is out of date and fails.
 */
export const harmless: Readonly<Record<string, string>> = {};
