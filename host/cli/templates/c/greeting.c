#include "greeting.h"

#include <stdlib.h>
#include <string.h>

char *greeting(const char *name, size_t name_length, size_t *result_length) {
    static const char before[] = "Hello, ";
    size_t before_length = sizeof before - 1;
    *result_length = before_length + name_length + 1;
    char *result = malloc(*result_length);
    if (result == NULL) {
        return NULL;
    }
    memcpy(result, before, before_length);
    memcpy(result + before_length, name, name_length);
    result[*result_length - 1] = '!';
    return result;
}
