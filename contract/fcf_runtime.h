#ifndef _FCF_RUNTIME_H_INCLUDED_
#define _FCF_RUNTIME_H_INCLUDED_

/* not a runtime's name: the image is a root file system of its own */
#define FCF_RUNTIME_OWN  "oci"

#endif /* _FCF_RUNTIME_H_INCLUDED_ */
