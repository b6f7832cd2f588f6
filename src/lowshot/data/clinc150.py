"""What people ask of an assistant: CLINC150, intents of ten domains, and queries that are none of them.

Source: Larson et al., "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction", EMNLP 2019.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lowshot.data.examples import Examples
from lowshot.data.locate import find_given
from lowshot.data.texts import TextForm, read_texts
from lowshot.errors import DataError

OUT_OF_SCOPE = "out of scope"

VARIANTS = {
    "train": "15,000 sentences, 100 of each of 150 intents, in English",
    "val": "3,000 others, 20 of each intent",
    "test": "4,500 others, 30 of each intent",
    "oos-train": "100 sentences of no intent: the class `out of scope`",
    "oos-val": "100 others of no intent",
    "oos-test": "1,000 others of no intent",
}

FILE = "clinc150/data_full.json"
_MAKE = "fetch data_full.json of github.com/clinc/oos-eval (CC BY 3.0) to that path"

# The paper's table of domains; the file does not state them.
DOMAINS = {
    "banking": "freeze_account routing pin_change bill_due pay_bill account_blocked interest_rate min_payment bill_balance "
    "transfer order_checks balance spending_history transactions report_fraud",
    "credit cards": "replacement_card_duration expiration_date damaged_card improve_credit_score report_lost_card "
    "card_declined credit_limit_change apr redeem_rewards credit_limit rewards_balance application_status credit_score "
    "new_card international_fees",
    "kitchen": "food_last confirm_reservation how_busy ingredients_list calories nutrition_info recipe restaurant_reviews "
    "restaurant_reservation meal_suggestion restaurant_suggestion cancel_reservation ingredient_substitution cook_time "
    "accept_reservations",
    "home": "what_song play_music todo_list_update reminder reminder_update calendar_update order_status update_playlist "
    "shopping_list calendar next_song order todo_list shopping_list_update smart_home",
    "car": "current_location oil_change_when oil_change_how uber traffic tire_pressure schedule_maintenance gas mpg "
    "distance directions last_maintenance gas_type tire_change jump_start",
    "travel": "plug_type travel_notification translate flight_status international_visa timezone exchange_rate "
    "travel_suggestion travel_alert vaccines lost_luggage book_flight book_hotel carry_on car_rental",
    "utility": "weather alarm date find_phone share_location timer make_call calculator definition measurement_conversion "
    "flip_coin spelling time roll_dice text",
    "work": "pto_request_status next_holiday insurance_change insurance meeting_schedule payday taxes income rollover_401k "
    "pto_balance pto_request w2 schedule_meeting direct_deposit pto_used",
    "small talk": "who_made_you meaning_of_life who_do_you_work_for do_you_have_pets what_are_your_hobbies fun_fact "
    "what_is_your_name where_are_you_from goodbye thank_you greeting tell_joke are_you_a_bot how_old_are_you "
    "what_can_i_ask_you",
    "meta": "change_speed user_name whisper_mode yes change_volume no change_language repeat change_accent cancel "
    "sync_device change_user_name change_ai_name reset_settings maybe",
}
_DOMAIN_OF = {intent: domain for domain, intents in DOMAINS.items() for intent in intents.split()}


def load(variant: str, form: TextForm | None = None) -> Examples:
    """The sentences of one published part; classes are the intents (``pto_request``, ``translate``, …).

    ``domain`` is an attribute (``banking``, ``travel``, …), empty where the sentence is of no intent. A text is the same in
    every ``form``. Raises DataNotFound where the file is not there: it is not downloaded.

    Example: ``load("clinc150:test+clinc150:oos-test")`` has 150 intents and the class ``out of scope``.
    """
    path = find_given(FILE, _MAKE)
    said = _said(path, variant.replace("-", "_"))
    intents = [OUT_OF_SCOPE if intent == "oos" else intent for _, intent in said]
    names = [f"{variant} {i}" for i in range(len(said))]
    domains = np.array([_DOMAIN_OF.get(intent, "") for intent in intents])
    return Examples.labeled(read_texts([sentence for sentence, _ in said], names), intents, names, {"domain": domains})


def _said(path: Path, part: str) -> list[tuple[str, str]]:
    """Sentences, each with its intent."""
    try:
        return [(str(sentence), str(intent)) for sentence, intent in json.loads(path.read_bytes())[part]]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} is not CLINC150's data_full.json: {_MAKE}") from None
