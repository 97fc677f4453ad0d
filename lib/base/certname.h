/*
 * certname - the name in a certificate, by libcrypto.
 */
#ifndef BASE_CERTNAME_H
#define BASE_CERTNAME_H

#include "base/fail.h"

/*
 * The common name (CN) of the subject of the first certificate in the PEM file PATH, as UTF-8; the last
 * one where there are several.  To be freed; NULL with F filled: EXIT_USAGE where the file holds no
 * certificate, or one without a CN, or with a NUL in it.
 */
char *certname_load(const char *path, struct fail *f);

#endif
