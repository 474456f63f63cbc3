"""Names and addresses in a text, as customers write them in English and Chinese. Pure.

In: a text in plain forms (`personal.folded`). Out: where a name or an address begins and ends.

A name is one where something marks it: "my name is", "this is … speaking", "姓名：", a title, a closing line.
"I'm Jane Smith" takes two words with capitals that are no ordinary ones; "我是王小明" a surname of a list and
an end. An address has a street with a number, or a building with one; a postcode alone only where it is called
the customer's own.
"""

import re
from collections.abc import Iterator

Places = Iterator[tuple[int, int]]

# English, and other Latin scripts

_LETTER = "A-Za-z\u00c0-\u024f"
_UPPER = "A-Z\u00c0-\u00de"
_CAPITAL = rf"(?<![{_LETTER}'])[{_UPPER}][{_LETTER}]{{0,20}}(?:['-][{_LETTER}]{{1,20}}){{0,2}}"
_BETWEEN = r"(?:(?:de|van|von|der|den|da|di|du|la|le|bin|al|el|ter) ){0,2}"
_NAME = rf"{_CAPITAL}(?: {_BETWEEN}{_CAPITAL}){{0,3}}"
_FULL = rf"{_CAPITAL}(?: {_BETWEEN}{_CAPITAL}){{1,3}}"
_SMALL = r"[a-z]{2,15}(?: [a-z]{2,15})?(?= ?(?:[,.!?;\n]|$| and ))"
_END = r"(?= ?(?:[,.!?;:()\n]|$|and\b|from\b|here\b|with\b|who\b|email\b|phone\b))"
_MY_NAME = r"\bmy (?:full |first |last )?n[ame]{2,4}(?: is|'?s)"
_FIELD = r"(?:\b(?:name|recipient|addressee|contact person|signed|attn)|\bc/o) ?[:=]"
_CLOSING = r"\b(?:regards|wishes|sincerely|faithfully|yours|thanks|thank you|cheers|greetings)"
_LATIN_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i:{_MY_NAME}|{_FIELD}) ?(?P<name>{_NAME}|{_SMALL})",
        rf"\b(?i:i'?m|i am) (?P<name>{_FULL}){_END}",
        rf"\b(?i:this is) (?P<name>{_NAME})(?= (?:speaking|here|calling|writing|again)\b)",
        rf"(?:^|[.!\n]|\b(?i:hello|hi|hey)[, ]) ?(?P<name>{_FULL})(?= here\b)",
        rf"(?i:{_CLOSING})[,.!]? {{0,3}}\n\s{{0,5}}(?P<name>{_NAME})\.? {{0,3}}(?=\n|$)",
        rf"(?i:\b(?:regards|wishes|sincerely|faithfully))[,.]? (?P<name>{_NAME})\.? {{0,3}}(?=\n|$)",
        rf"\b(?P<name>(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? {_NAME})",
    )
)
_NO_NAME = re.compile(
    "a|about|absolutely|afraid|again|also|always|angry|annoyed|asking|at|away|back|"
    "black|blue|british|business|but|calling|chinese|christmas|confused|customer|dear|"
    "disappointed|dutch|east|easter|english|french|friday|frustrated|furious|german|glad"
    "|going|gold|good|green|happy|having|here|hoping|i|in|incorrect|interested|it|"
    "italian|japanese|just|kitewire|korean|late|looking|lost|member|missing|misspelled|"
    "misspelt|monday|never|new|no|north|not|now|on|only|ordering|out|platinum|plus"
    "|polish|premium|prime|private|pro|quite|ready|really|red|returning|right|russian"
    "|sad|saturday|silver|so|sorry|south|spanish|spelled|spelt|still|student|sunday|"
    "support|sure|swiss|team|the|thursday|tired|trying|tuesday|turkish|unable|unhappy|"
    "upset|using|very|vip|waiting|wednesday|welsh|west|what|white|worried|wrong|your"
)

_KIND = (
    "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Terrace|Boulevard|Blvd|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Sq|Close"
)
_KIND += "|Crescent|Highway|Parkway|Pkwy|Gardens|Grove|Mews|Row|Hill"
_SMALL_KIND = "street|road|rd|avenue|ave|lane|terrace|boulevard|blvd|crescent"
_PART = r"(?:(?:Flat|Apt|Apartment|Unit|Suite|Room|Floor)\.? ?#?|#)[A-Za-z0-9]{1,5}"
_BRITISH = r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"
_CODE = rf"(?:(?:[A-Z]{{2}} )?\d{{5,6}}(?:-\d{{4}})?|{_BRITISH})(?![A-Za-z0-9])"
_TOWN = rf"{_CAPITAL}(?: {_CAPITAL}){{0,2}}"
_CITY = rf"(?:,? {_TOWN}){{0,2}},? {_CODE}(?: {_CAPITAL})?|(?:, {_TOWN}){{1,2}}(?= ?(?:[.,;!?\n]|$))"
_TAIL = rf"(?:,? {_PART})?(?:{_CITY})?"
_NUMBER = r"(?<![A-Za-z0-9.,:/-])\d{1,5}[A-Za-z]?(?:[-/]\d{1,4})?"
_LATIN_ADDRESS = re.compile(
    rf"(?:{_PART},? )?{_NUMBER},? (?:"
    rf"(?:{_CAPITAL} ){{1,4}}(?:{_KIND})\b\.?(?=\W|$)"
    r"|(?!(?:of|the|days?|hours?|minutes?|pieces?|times?|more) )[a-z]{3,15} "
    rf"(?:[a-z]{{3,15}} )?(?:{_SMALL_KIND})\b"
    rf"|(?i:rue|via|calle|avenue|boulevard|place) {_BETWEEN}{_TOWN}"
    rf"){_TAIL}"
    rf"|\b[{_UPPER}][{_LETTER}]{{2,20}}(?:straße|strasse|gasse|weg|platz) \d{{1,4}}[a-z]?\b{_TAIL}"
    r"|\b[Pp]\.? ?[Oo]\.? ?[Bb]ox \d{1,6}"
)
_OWN_CODE = re.compile(
    r"\b(?:my (?:zip|postcode|postal code|post code)(?: code)?(?: is)?:? ?|(?:zip|postcode)(?: code)?: ?)"
    rf"(?P<code>\d{{5}}(?:-\d{{4}})?\b|{_BRITISH}\b)",
    re.IGNORECASE,
)

# Chinese

_HAN = "\u3400-\u9fff"
_SURNAME = (
    "(?:欧阳|司马|诸葛|上官|司徒|东方|独孤|南宫|夏侯|皇甫|尉迟|公孙|慕容|令狐|端木|轩辕"
    "|[王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟"
    "姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛"
    "邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮纪梅童凌毕单季裴霍涂成苗谷曲盛冉骆蓝路游"
    "辛靳管柴蒙鲍华喻祁房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应"
    "臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝])"
)
_SMALL_WORDS = (
    "我你您他她它的了是在要想问不没有买也就都很会能可吗呢吧啊呀哦嘛这那哪们到去来给从把被让人户员客店号单电话手机"
    "地址邮箱怎什么收发退换货写填错改谁用住请帮和跟与或但因为之前刚昨今明天上下订已经还再先生女士小姐太"
)
_GIVEN = rf"(?:(?![{_SMALL_WORDS}])[{_HAN}])"
_CHINESE = rf"{_SURNAME}(?:{_GIVEN}|[小明文天生上太]){{1,2}}"
_STOP = rf"(?=[^{_HAN}]|$|[了的吧我收])"
_WHO = "(?:收件|收货|联系|寄件|发件|签收|下单|持卡|购买|开户|付款)人"
_CHINESE_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:我叫|我名叫|名字叫|名字是)做?:? ?(?P<name>{_CHINESE})",
        rf"(?:{_WHO}(?:姓名)?|姓名|户名|抬头|名字|本人|客户)(?:是|为|叫|写成|写|改成|改为|填)?:? ?"
        rf"(?P<name>{_CHINESE}){_STOP}",
        rf"(?:{_WHO}(?:姓名)?|姓名|户名|名字|(?<![{_HAN}])收) ?: ?(?P<name>{_CHINESE})",
        rf"(?:姓名|收[件货]人) ?: ?(?P<name>[{_HAN}]{{2,4}})(?=[^{_HAN}]|$)",
        rf"(?:我是|这里是)(?P<name>{_CHINESE})(?=[^{_HAN}]|$|我)",
        rf"(?P<name>{_SURNAME}{_GIVEN}{{0,2}}(?:先生|女士|小姐(?!姐)|太太))",
        rf"(?:^|(?<=[\n,;: ]))(?P<name>{_CHINESE})(?=[ ,]{{1,2}}(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}})",
    )
)
_NO_CHINESE = re.compile(
    "谢谢|商[家户品铺]|付款|金卡|黄金|白金|高级|高中|江苏|江西|江南|云南|安徽|海南|河南|方便|何时|何人|常用|万分|温州|安全|成功|任何|关于|全部"
    "|时候|马上|向你|应该|明白|单独|易碎|解决|文件|华为|石家|古董|成都|武汉|宁波|苏州|广州|车主"
)

_PROVINCE = re.compile(
    "(?:北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州"
    "|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门|广州|深圳|杭州|成都|武汉|南京|苏州|西安|长沙|郑州"
    "|青岛|大连|宁波|厦门|福州|济南|合肥|昆明|哈尔滨|沈阳|长春|无锡|佛山|东莞|石家庄|太原|南昌|贵阳|南宁|兰州|海口"
    "|乌鲁木齐|温州|泉州|常州|珠海|中山|惠州)(?:省|市|自治区)?"
)
_COUNT = "(?:[0-9]{1,5}|[零一二三四五六七八九十百]{1,5})"
_ROAD = re.compile(
    rf"(?:(?:路|大道|街道|街|巷|弄|胡同|大街|公路)(?:[东西南北中]段?|[一二三四五]段)?{_COUNT} ?(?:号|弄|巷)"
    rf"|[村组屯]{_COUNT}号"
    rf"|(?:小区|花园|苑|公寓|新村|家园|广场|大厦|园|城|湾|府|里|庭){_COUNT}(?:号楼|栋|幢|座|单元)"
    rf"|(?:小区|花园|苑|公寓|新村|家园|广场|大厦)[A-Za-z]座)"
    rf"(?:院| |-|{_COUNT}(?:号楼|号|弄|栋|幢|座|单元|室|楼|层|户)?|[A-Za-z](?:座|栋|楼)?"
    rf"|[{_HAN}]{{1,10}}(?:大厦|广场|中心|花园|小区|公寓|新村|家园)){{0,8}}(?<! )"
)
_OUTSIDE = frozenset("到在是为址住寄送给去从至改成写放于我你您他她的了吧：把往填收请")
_LONGEST = 30  # characters of an address before its street's number
_CHINESE_CODE = re.compile(r"邮政?编码?(?:是|为)?[: ]{0,2}(?P<code>\d{6})(?!\d)")


def names(text: str) -> Places:
    if not text.isascii():
        for pattern in _CHINESE_NAMES:
            for match in pattern.finditer(text):
                if not _NO_CHINESE.match(match["name"]):
                    yield match.span("name")
    for pattern in _LATIN_NAMES:
        for match in pattern.finditer(text):
            if not any(map(_NO_NAME.fullmatch, match["name"].casefold().split())):
                yield match.span("name")


def addresses(text: str) -> Places:
    if not text.isascii():
        for match in _ROAD.finditer(text):
            yield _begins(text, match.start()), match.end()
        yield from (match.span("code") for match in _CHINESE_CODE.finditer(text))
    yield from (match.span() for match in _LATIN_ADDRESS.finditer(text))
    yield from (match.span("code") for match in _OWN_CODE.finditer(text))


def _begins(text: str, road: int) -> int:
    """Where the address begins whose road or building ends at `road`: after a word that leads to it, or with a
    province or large town."""
    start = road
    while start > max(0, road - _LONGEST) and _is_inside(text, start - 1):
        start -= 1
    town = _PROVINCE.search(text, start, road)
    return start if town is None else town.start()


def _is_inside(text: str, place: int) -> bool:
    character = text[place]
    if character == " ":
        return place > 0 and text[place - 1] in "省市区县镇"
    return "\u3400" <= character <= "\u9fff" and character not in _OUTSIDE
