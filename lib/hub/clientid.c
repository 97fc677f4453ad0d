#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/certname.h"
#include "base/file.h"
#include "base/sha.h"
#include "base/xalloc.h"
#include "hub/clientid.h"

enum { ID_DIGITS = 32 };

static int
machine_add(struct buf *out, struct fail *f)
{
	_cleanup_buf_ struct buf id = BUF_INIT;
	char text[SHA_TEXT], hex[SHA_HEX];
	struct sha *sha;
	int r = file_load("/etc/machine-id", 0, 4096, &id, f);

	if (r < 0)
		return r;
	if (strspn(id.s, "0123456789abcdef") != ID_DIGITS)
		return fail_set(f, EXIT_TROUBLE, "/etc/machine-id: holds no machine id");
	sha = sha_new("sha256");
	sha_add(sha, "rejoin", 6);
	sha_add(sha, id.s, ID_DIGITS);
	sha_end(sha, text);
	if (sha_hex(text, hex) < 0)
		return fail_set(f, EXIT_TROUBLE, "client-id: no hash");
	return buf_add(out, hex, ID_DIGITS);
}

static int
certificate_add(struct buf *out, const char *cert_file, struct fail *f)
{
	_cleanup_free_ char *name = NULL;

	if (!cert_file)
		return fail_set(f, EXIT_USAGE, "client-id: ${cert:CN}: there is no cert-file");
	name = certname_load(cert_file, f);
	return name ? buf_puts(out, name) : -EINVAL;
}

char *
clientid_expand(const char *text, const char *cert_file, struct fail *f)
{
	_cleanup_buf_ struct buf b = BUF_INIT;
	char host[256] = "";

	gethostname(host, sizeof host - 1);
	for (const char *p = text; *p; ) {
		if (strncmp(p, "${machine}", 10) == 0) {
			if (machine_add(&b, f) < 0)
				return NULL;
			p += 10;
		} else if (strncmp(p, "${host}", 7) == 0) {
			buf_puts(&b, host);
			p += 7;
		} else if (strncmp(p, "${cert:CN}", 10) == 0) {
			if (certificate_add(&b, cert_file, f) < 0)
				return NULL;
			p += 10;
		} else if (p[0] == '$' && p[1] == '{') {
			fail_set(f, EXIT_USAGE, "client-id: '%s': none of ${machine}, ${host}, ${cert:CN}", p);
			return NULL;
		} else {
			buf_putc(&b, *p++);
		}
	}
	if (b.len == 0 || b.s[strcspn(b.s, "/+#")] || strcmp(b.s, "group") == 0) {
		fail_set(f, EXIT_USAGE, "client-id: '%s' is empty, or has a '/', '+' or '#'", b.s);
		return NULL;
	}
	return buf_steal(&b);
}
