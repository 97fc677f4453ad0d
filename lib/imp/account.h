/*
 * account - an account at impCentral, from impcentral.conf of the configuration
 * directory or another file of the same form:
 *
 *	[account]
 *	# a private impCloud has another
 *	url = https://api.electricimp.com/v5
 *	# mode 0600 or 0640; impt makes such keys
 *	login-key-file = ${config}/impcentral.key
 *	# certificate authorities to trust, instead of those of the system
 *	ca-file = PATH
 *
 * Without a file each key has its default.
 */
#ifndef IMP_ACCOUNT_H
#define IMP_ACCOUNT_H

#include "base/fail.h"

struct imp_account {
	char *url;		/* without a slash at its end */
	char *key_file;
	char *ca_file;		/* NULL for the certificate authorities of the system */
};

/*
 * FILE, which must then be there, or NULL for the configuration's.  Errors:
 * EXIT_USAGE for wrong content, EXIT_DENIED if other users can write the file.
 */
int imp_account_load(const char *file, struct imp_account *a, struct fail *f);
void imp_account_release(struct imp_account *a);

#endif
