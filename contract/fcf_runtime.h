#ifndef _FCF_RUNTIME_H_INCLUDED_
#define _FCF_RUNTIME_H_INCLUDED_

/* not a runtime's name: the image is a root file system of its own */
#define FCF_RUNTIME_OWN  "oci"

/* Where in such an image stands what it runs, and what holds for that: the
 * variable PATH where it says none, numbers of users, and strings of a list. */
#define FCF_IMAGE_DIR      ".fcfaas"
#define FCF_IMAGE_FILE     FCF_IMAGE_DIR "/image.json"
#define FCF_IMAGE_PATH     "/usr/local/sbin:/usr/local/bin:/usr/sbin:"      \
                           "/usr/bin:/sbin:/bin"
#define FCF_IMAGE_ID_MAX   4294967294
#define FCF_IMAGE_STRINGS  4096

#endif /* _FCF_RUNTIME_H_INCLUDED_ */
