"""What shoppers type, and what they mean by it: the truth of the judgments."""

from __future__ import annotations

from typing import NamedTuple


class Intent(NamedTuple):
    """A query. group: how it is typed. kinds: what would satisfy it. Every other part is a wish.

    model: the start of the name of a model.
    """

    text: str
    group: str
    kinds: frozenset[str]
    colour: str = ""
    material: str = ""
    feature: str = ""
    model: str = ""


def _of(group: str, text: str, kinds: str, **wishes: str) -> Intent:
    return Intent(text, group, frozenset(kinds.split()), **wishes)


CHARACTERS = (
    _of("character", "靴", "shoes"),
    _of("character", "傘", "umbrella"),
    _of("character", "鍋", "pot"),
    _of("character", "箸", "chopsticks"),
    _of("character", "皿", "plate"),
    _of("character", "鞄", "bag"),
    _of("character", "茶", "tea"),
    _of("character", "本", "book"),
    _of("character", "米", "rice"),
    _of("character", "机", "desk"),
    _of("character", "鏡", "mirror"),
    _of("character", "枕", "pillow"),
    _of("character", "棚", "shelf"),
    _of("character", "椀", "bowl"),
)
WORDS = (
    _of("word", "革靴", "shoes", material="牛革"),
    _of("word", "靴下", "socks"),
    _of("word", "日傘", "umbrella"),
    _of("word", "財布", "wallet"),
    _of("word", "帽子", "hat"),
    _of("word", "ジャケット", "jacket"),
    _of("word", "コート", "coat"),
    _of("word", "セーター", "sweater"),
    _of("word", "パンツ", "trousers"),
    _of("word", "手袋", "gloves"),
    _of("word", "フライパン", "pan"),
    _of("word", "パン", "bread"),
    _of("word", "包丁", "knife"),
    _of("word", "茶碗", "bowl"),
    _of("word", "急須", "teapot"),
    _of("word", "水筒", "bottle"),
    _of("word", "お茶", "tea"),
    _of("word", "時計", "clock"),
    _of("word", "扇風機", "fan"),
    _of("word", "掃除機", "cleaner"),
    _of("word", "布団", "futon"),
    _of("word", "リュック", "bag"),
)
PHRASES = (
    _of("phrase", "黒い 革靴", "shoes", colour="black", material="牛革"),
    _of("phrase", "赤い 傘", "umbrella", colour="red"),
    _of("phrase", "牛革 財布 黒", "wallet", colour="black", material="牛革"),
    _of("phrase", "防水 ジャケット", "jacket", feature="防水"),
    _of("phrase", "ウール コート 紺", "coat", colour="navy", material="ウール"),
    _of("phrase", "綿の セーター", "sweater", material="綿"),
    _of("phrase", "鉄の フライパン", "pan", material="鉄"),
    _of("phrase", "陶器 皿 白", "plate", colour="white", material="陶器"),
    _of("phrase", "木製 本棚", "shelf", material="木製"),
    _of("phrase", "薄型 財布 茶色", "wallet", colour="brown", feature="薄型"),
    _of("phrase", "軽量 掃除機", "cleaner", feature="軽量"),
    _of("phrase", "ウール 手袋", "gloves", material="ウール"),
    _of("phrase", "防水 腕時計", "clock", feature="防水"),
    _of("phrase", "麻の パンツ 白", "trousers", colour="white", material="麻"),
)
MODELS = (
    _of("model", "KX1", "", model="KX1"),
    _of("model", "KX12", "", model="KX12"),
    _of("model", "TR2", "", model="TR2"),
    _of("model", "TR24", "", model="TR24"),
    _of("model", "NB30", "", model="NB30"),
    _of("model", "HS4", "", model="HS4"),
    _of("model", "HS 掃除機", "cleaner", model="HS"),
    _of("model", "KX 時計", "clock", model="KX"),
    _of("model", "NB イヤホン", "earphones", model="NB"),
    _of("model", "TR 充電器", "charger", model="TR"),
)

INTENTS = CHARACTERS + WORDS + PHRASES + MODELS
