/*
 * verify - is this goal one that a trusted root key vouches for, and what is in it?
 *
 * It is checked without an agent and without a network: the signature with the root
 * keys of rootkeys.d/ (deploy/signature.h), and the hash of each file that is on this machine.  What
 * a server has is named as not checked: its hash is in the signed part, and is
 * checked when it is fetched.
 *
 * Lines are added to OUT, a blank between words, control characters escaped:
 *
 *	workflow ID
 *	update {"provider","name","version"}
 *	signed ROOT KEY			or: unsigned, or: signature refused
 *	step N HANDLER			or: step N reference FILEID, and behind it
 *	step N.M HANDLER		of the manifest that it refers to, where that is on this machine
 *	file ID NAME BYTES verified|unchecked|wrong
 *
 * The files are those of all manifests that are on this machine.
 */
#ifndef DEPLOY_VERIFY_H
#define DEPLOY_VERIFY_H

#include "base/buf.h"
#include "base/fail.h"

/*
 * The goal in the file PATH.  EXIT_USAGE where it is none, EXIT_DENIED where it is not signed, not signed rightly, or
 * a file is not what its hash says; OUT then says what could be read.
 */
int verify_goal(const char *path, struct buf *out, struct fail *f);

#endif
