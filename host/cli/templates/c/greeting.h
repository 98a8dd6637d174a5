#ifndef GREETING_H
#define GREETING_H

#include <stddef.h>

/* Greets someone. Returns `*result_length` bytes that the caller frees, or NULL if there is no memory. */
char *greeting(const char *name, size_t name_length, size_t *result_length);

#endif
