# cmake -DIN=file -DOUT=file.h -DNAME=identifier -P embed.cmake: a text file as a C string.
file(READ ${IN} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE ${OUT} "static const char ${NAME}[] =\n    \"${text}\";\n")
