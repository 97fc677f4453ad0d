#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/certname.h"
#include "base/file.h"
#include "base/xalloc.h"

/* The last CN of NAME; NULL. */
static char *
common_name(X509_NAME *name)
{
	unsigned char *text = NULL;
	char *copy = NULL;
	int at = -1, next, n;

	while ((next = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		at = next;
	if (at < 0)
		return NULL;
	n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n > 0 && !memchr(text, '\0', (size_t)n))
		copy = xstrndup((const char *)text, (size_t)n);
	OPENSSL_free(text);
	return copy;
}

char *
certname_load(const char *path, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	X509 *certificate;
	char *name;
	BIO *bio;

	if (file_load(path, 0, FILE_DATA_MAX, &b, f) < 0)
		return NULL;
	bio = BIO_new_mem_buf(b.s, (int)b.len);
	certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	BIO_free(bio);
	name = certificate ? common_name(X509_get_subject_name(certificate)) : NULL;
	if (!certificate)
		fail_set(f, EXIT_USAGE, "%s: holds no certificate (PEM)", path);
	else if (!name)
		fail_set(f, EXIT_USAGE, "%s: its certificate has no common name", path);
	X509_free(certificate);
	return name;
}
