/* How many files the process may have open. */

#ifndef _FCA_FILES_H_INCLUDED_
#define _FCA_FILES_H_INCLUDED_

/* Raises the soft limit to the hard one, since every connection takes one: the
 * soft one is small for the sake of programs that use select().  Returns what
 * it is now, at most FCA_FILES_MAX. */
#define FCA_FILES_MAX  1048576

unsigned fca_files_raise(void);

#endif /* _FCA_FILES_H_INCLUDED_ */
