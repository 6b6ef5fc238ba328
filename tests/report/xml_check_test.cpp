// The checker itself must refuse what a browser's XML parser refuses.
#include "report/xml_check.h"

#include <catch2/catch.hpp>

TEST_CASE("the markup checker accepts well-formed and refuses broken markup") {
  CHECK(XmlCheck::fault("<!DOCTYPE html>\n<a><b c=\"1\" d=\"&lt;\"/>x &amp; y</a>\n") == "");
  CHECK(XmlCheck::fault("<a><b></a></b>") != "");
  CHECK(XmlCheck::fault("<a>") != "");
  CHECK(XmlCheck::fault("<a/><b/>") != "");
  CHECK(XmlCheck::fault("<a/>text") != "");
  CHECK(XmlCheck::fault("<a b=1/>") != "");
  CHECK(XmlCheck::fault("<a b=\"1\" b=\"2\"/>") != "");
  CHECK(XmlCheck::fault("<a b=\"<\"/>") != "");
  CHECK(XmlCheck::fault("<a>&nbsp;</a>") != "");
  CHECK(XmlCheck::fault("<a>1 < 2</a>") != "");
  CHECK(XmlCheck::fault("<a>\x01</a>") != "");
  CHECK(XmlCheck::fault("<a>\xFF</a>") != "");
}
